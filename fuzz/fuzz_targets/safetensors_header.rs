//! The header of a safetensors file.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ptw2k_fuzz::open(ptw2k_fuzz::safetensors_header(input)));
