//! `farsign_tests::fuzz::server_frame` under libFuzzer.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    farsign_tests::fuzz::server_frame(bytes);
});
