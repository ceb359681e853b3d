//! The configuration of a Keras model, as JSON.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ptw2k_fuzz::open_keras(input.to_vec()));
