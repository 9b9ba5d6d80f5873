//! The binary `gaitway`: everything it does is in the library.

fn main() -> std::process::ExitCode {
    gaitway::cli::main()
}
