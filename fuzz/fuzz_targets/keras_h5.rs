//! HDF5 as a template, as legacy weights, as a whole model and as a weight file.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ptw2k_fuzz::open_keras(ptw2k_fuzz::hdf5(input)));
