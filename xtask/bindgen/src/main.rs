//! Writes the JavaScript beside a WebAssembly module: `bindgen MODULE DIRECTORY NAME`. A program of its
//! own, so that `cargo xtask` stays quick to build. It builds no module.

use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [module, dir, name] = args.as_slice() else {
        eprintln!("bindgen MODULE DIRECTORY NAME");
        return ExitCode::from(2);
    };
    match write(module, dir, name) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("bindgen: {sentence}");
            ExitCode::FAILURE
        }
    }
}

fn write(module: &str, dir: &str, name: &str) -> Result<(), String> {
    let mut bindgen = Bindgen::new();
    bindgen.input_path(module).typescript(false).out_name(name);
    bindgen.web(true).and_then(|bindgen| bindgen.generate(dir)).map_err(|error| format!("{error:#}"))
}
