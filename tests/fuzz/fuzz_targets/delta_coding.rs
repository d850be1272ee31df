//! `farsign_tests::fuzz::delta_coding` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    farsign_tests::fuzz::delta_coding(bytes);
});
