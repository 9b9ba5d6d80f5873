//! The target `store` under libFuzzer's guidance. Only the shim; the target is in the library.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| drop(fuzz::Target::Store.run(input)));
