//! The `model.json` of torch 1.0's TorchScript.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ptw2k_fuzz::open(ptw2k_fuzz::torchscript_json(input)));
