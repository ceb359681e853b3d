//! A `.keras` archive.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ptw2k_fuzz::open_keras(ptw2k_fuzz::zip(input)));
