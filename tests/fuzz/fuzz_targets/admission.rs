//! `farsign_tests::fuzz::admission` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    farsign_tests::fuzz::admission(bytes);
});
