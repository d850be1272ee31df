use super::*;

/// Returns the violations of a server with a fault.
fn violations(fault: Option<InjectedFault>) -> String {
    report(SMALL, fault).violations.join("\n")
}

#[test]
fn correct_server_satisfies_assertions() {
    assert_eq!(violations(None), "");
}

#[test]
fn flipped_signs_violate_assertions() {
    let violations = violations(Some(InjectedFault::SignsFlipped));
    assert!(
        violations.contains("plain without an attack: expected at least 0.75"),
        "{violations}"
    );
}

#[test]
fn ignored_weights_violate_assertions() {
    let violations = violations(Some(InjectedFault::WeightsIgnored));
    assert!(
        violations.contains("plain under flooding at a Byzantine fraction of 0.3"),
        "{violations}"
    );
}

#[test]
fn disabled_verification_violates_assertions() {
    let violations = violations(Some(InjectedFault::VerificationDisabled));
    let place = "verified under sign-flip at a Byzantine fraction of 0.45";
    assert!(violations.contains(place), "{violations}");
    assert!(
        violations.contains("found 0 honest workers and 0 attackers"),
        "{violations}"
    );
}
