//! Writes the genesis files anew: only ever for a new layout version, never for an existing one.

fn main() {
    use session_note::schema::{Kind, build_genesis};
    for kind in [Kind::Visit, Kind::Episode] {
        let bytes = build_genesis(kind).unwrap_or_default();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        println!("{} {hex}", kind.name());
    }
}
