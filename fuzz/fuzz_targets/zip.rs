//! The directory and the headers of a zip archive.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ptw2k_fuzz::open(ptw2k_fuzz::zip(input)));
