use farsign_lab::scenario::Scenario;

use super::*;

#[test]
fn bundled_scenarios_are_valid() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        Scenario::from_toml(&text).unwrap_or_else(|error| panic!("{}:\n{error}", path.display()));
        names.push(path.file_stem().unwrap().to_string_lossy().into_owned());
    }
    names.sort();
    let expected = [
        "batch",
        "batch-long",
        "mlp",
        "mlp-long",
        "mlp-verified",
        "noniid",
        "quick",
        "sized",
        "softmax",
        "verified",
        "versions-1000",
        "versions-64",
        "zeroth",
    ];
    assert_eq!(names, expected);
}

/// Asserts that each found line starts with an expected one.
#[track_caller]
fn assert_mistakes(found: &[String], expected: &[&str]) {
    for mistake in expected {
        assert!(
            found.iter().any(|found| found.starts_with(mistake)),
            "{mistake} in {found:#?}"
        );
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn all_mistakes_are_reported() {
    let text = SMALL
        .replace("updates = 600", "updates = 0")
        .replace("workers = 20", "workers = 1")
        .replace(
            "byzantine_fractions = [0.3, 0.45]",
            "byzantine_fractions = [0.45, 1.5]",
        )
        .replace("factors = [0.5, 1.0]", "factors = []")
        .replace("name = \"verified\"", "name = \"plain\"")
        .replace("aggregator = \"mean\"", "aggregator = \"median\"")
        .replace("scale = 3.0", "scale = -1.0");
    let mistakes = Scenario::from_toml(&format!("{text}\n[extra]\n"))
        .unwrap_err()
        .mistakes;
    let expected = [
        "expected the sections run, model, data, fleet, network, tuning, methods, attacks, assertions, found extra",
        "methods, number 3: unknown variant `median`, expected",
        "run.updates: expected at least 1, found 0",
        "fleet.workers: expected at least 2, found 1",
        "run.byzantine_fractions: expected 0 to below 1, found 1.5",
        "tuning.factors: expected numbers above 0, found []",
        "methods: expected each name once, found plain twice",
        "attacks: sign-flip: expected scale above 0, found -1",
    ];
    assert_mistakes(&mistakes, &expected);
}

#[test]
fn inconsistent_conditions_are_reported() {
    let text = SMALL
        .replace("byzantine_fractions = [0.3, 0.45]", "byzantine_fractions = [0.01, 0.3, 0.45]")
        .replace("factors = [0.5, 1.0]", "factors = [1.0, 1.0]")
        .replace(
            "cases = [",
            "cases = [{ attack = \"none\", byzantine_fraction = 0.0 }, { attack = \"flooding\", byzantine_fraction = 0.0 }, ",
        )
        .replace("wait = \"all\"", "wait = { fastest = 0.0 }");
    let text = format!(
        "{text}\n[[methods]]\nname = \"groups\"\nlearning_rate = 1.0\nbatch = 32\nkind.asynchronous = {{ rule = {{ basgd = {{ buffers = 21 }} }} }}\n\
         [[assertions]]\nmethod = \"mean\"\nbyzantine_fraction = 0.45\nis.at-least = 0.1\n"
    );
    let mistakes = Scenario::from_toml(&text).unwrap_err().mistakes;
    let expected = [
        "run.byzantine_fractions: expected at least one attacker and one honest worker, found 0 attackers of 20 workers at 0.01",
        "tuning.factors: expected increasing values, found [1.0, 1.0]",
        "methods.mean.wait.fastest: expected above 0 and at most 1, found 0",
        "methods.groups: expected at least one buffer and at most one per worker",
        "tuning.cases: expected each case once",
        "assertions: expected an attack with the Byzantine fraction 0.45, found none",
    ];
    assert_mistakes(&mistakes, &expected);
}

/// Returns a scenario with settings without effect: a wrong probability, unknown fields, and assertions without results.
fn ineffective() -> String {
    let probability = "verify_probability = 0.1";
    assert!(SMALL.contains(probability));
    let text = SMALL
        .replace(probability, "verify_probability = 0.0")
        .replace("kind = \"flooding\"", "kind = \"replay\"\nfactor = 3.0");
    format!(
        "{text}\n[data]\nsplit = \"shared\"\nalpha = 0.1\n[[methods]]\nname = \"alone\"\nlearning_rate = 1.0\nbatch = 32\nkind.centralized = {{}}\n\
         [[assertions]]\nmethod = \"plain\"\nattack = \"sign-flip\"\nis.at-least = 0.1\n\
         [[assertions]]\nmethod = \"alone\"\nattack = \"sign-flip\"\nbyzantine_fraction = 0.3\nis.at-least = 0.1\n"
    )
}

#[test]
fn ineffective_fields_are_reported() {
    let found = Scenario::from_toml(&ineffective()).unwrap_err().mistakes;
    let expected = [
        "data: unknown field `alpha`",
        "attacks, number 2: unknown field `factor`",
        "methods.verified.verify_probability: expected above 0 and at most 1, found 0",
    ];
    assert_mistakes(&found, &expected);
}

#[test]
fn impossible_assertions_are_reported() {
    let text = ineffective()
        .replace("verify_probability = 0.0", "verify_probability = 0.1")
        .replace("alpha = 0.1\n", "")
        .replace("factor = 3.0\n", "")
        .replace("kind = \"replay\"", "kind = \"flooding\"");
    let found = Scenario::from_toml(&text).unwrap_err().mistakes;
    let expected = [
        "tuning.cases: expected a case without an attack for the centralized method, found none",
        "assertions: expected an attack and a Byzantine fraction above 0 of the scenario, found sign-flip and 0",
        "assertions: expected no attack on alone, which has no workers, found sign-flip",
    ];
    assert_mistakes(&found, &expected);
}

#[test]
fn unknown_names_are_reported() {
    let text = SMALL
        .replace("name = \"verified\"", "name = \"checked\"")
        .replace("attack = \"sign-flip\"", "attack = \"sign-flop\"");
    let mistakes = Scenario::from_toml(&text).unwrap_err().mistakes.join("\n");
    for part in [
        "one of the attacks sign-flip, flooding, found sign-flop",
        "name of a method, found verified",
    ] {
        assert!(mistakes.contains(part), "{part} in {mistakes}");
    }
}

#[test]
fn impossible_directions_are_rejected() {
    let rule = "rule = \"plain\"";
    let text = SMALL.replace(
        rule,
        &format!("{rule}, directions = {{ hadamard = {{ block = 48 }} }}"),
    );
    let dir = tempfile::tempdir().unwrap();
    let error = run(&options(&text), dir.path()).unwrap_err().to_string();
    assert!(
        error.contains("methods.plain.directions: expected a Hadamard block"),
        "{error}"
    );
    let text = SMALL.replace(
        rule,
        "rule = { vote = { gamma = 0.1, window = 5 } }, direction_count = 9",
    );
    let error = Scenario::from_toml(&text).unwrap_err().to_string();
    assert!(
        error.contains("vote needs one direction for each parameter"),
        "{error}"
    );
}

#[test]
fn verified_requires_shared_data() {
    let text = format!("{SMALL}\n[data]\nsplit = \"dirichlet\"\nalpha = 0.3\n");
    let error = Scenario::from_toml(&text).unwrap_err().to_string();
    assert!(
        error.contains("methods.verified: expected data that the server has"),
        "{error}"
    );
}

#[test]
fn verified_requires_published_parameters() {
    let probability = "verified = { verify_probability = 0.1 } }";
    assert!(SMALL.contains(probability));
    let text = SMALL.replace(
        probability,
        &format!("{probability}, parameters = \"exact\""),
    );
    let error = Scenario::from_toml(&text).unwrap_err().to_string();
    assert!(
        error.contains("methods.verified: expected published parameters"),
        "{error}"
    );
}
