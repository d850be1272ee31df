use super::*;

/// What the results of a broken server miss.
fn missed(fault: Option<Fault>) -> String {
    results(SMALL, fault).missed.join("\n")
}

#[test]
fn a_server_without_a_fault_meets_every_expectation() {
    assert_eq!(missed(None), "");
}

#[test]
fn a_server_that_turns_signs_round_is_noticed() {
    let missed = missed(Some(Fault::SignsTurned));
    assert!(missed.contains("plain without liars: expected at least 0.75"), "{missed}");
}

#[test]
fn a_server_that_ignores_weights_is_noticed() {
    let missed = missed(Some(Fault::WeightsIgnored));
    assert!(missed.contains("plain under fast with a share of 0.3"), "{missed}");
}

#[test]
fn a_server_whose_checks_find_nothing_is_noticed() {
    let missed = missed(Some(Fault::ChecksBlind));
    assert!(missed.contains("verified under sign-flip with a share of 0.45"), "{missed}");
    assert!(missed.contains("liars removed, found 0 and 0"), "{missed}");
}
