use farsign_lab::scenario::Scenario;

use super::*;

#[test]
fn every_scenario_that_comes_with_the_lab_can_be_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
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
        "softmax",
        "verified",
        "zeroth",
    ];
    assert_eq!(names, expected);
}

/// Each line that is found begins as one that is expected.
fn assert_mistakes(found: &[String], expected: &[&str]) {
    for mistake in expected {
        assert!(found.iter().any(|found| found.starts_with(mistake)), "{mistake} in {found:#?}");
    }
    assert_eq!(found.len(), expected.len(), "{found:#?}");
}

#[test]
fn every_mistake_is_reported_with_its_place_and_what_was_expected() {
    let text = SMALL
        .replace("messages = 600", "messages = 0")
        .replace("workers = 20", "workers = 1")
        .replace("shares = [0.3, 0.45]", "shares = [0.45, 1.5]")
        .replace("factors = [0.5, 1.0]", "factors = []")
        .replace("name = \"verified\"", "name = \"plain\"")
        .replace("aggregation = \"mean\"", "aggregation = \"median\"")
        .replace("scale = 3.0", "scale = -1.0");
    let mistakes = Scenario::from_toml(&format!("{text}\n[extra]\n")).unwrap_err().mistakes;
    let expected = [
        "expected the sections run, model, data, fleet, network, tuning, methods, attacks, expectations, found extra",
        "methods, number 3: unknown variant `median`, expected",
        "run.messages: expected at least 1, found 0",
        "fleet.workers: expected at least 2, found 1",
        "run.shares: expected 0 to below 1, found 1.5",
        "tuning.factors: expected numbers above 0, found []",
        "methods: expected each name once, found plain twice",
        "attacks: sign-flip: expected scale above 0, found -1",
    ];
    assert_mistakes(&mistakes, &expected);
}

#[test]
fn conditions_that_would_not_be_what_they_say_are_reported() {
    let text = SMALL
        .replace("shares = [0.3, 0.45]", "shares = [0.01, 0.3, 0.45]")
        .replace("factors = [0.5, 1.0]", "factors = [1.0, 1.0]")
        .replace(
            "cases = [",
            "cases = [{ attack = \"none\", share = 0.0 }, { attack = \"fast\", share = 0.0 }, ",
        )
        .replace("wait = \"all\"", "wait = { fastest = 0.0 }");
    let text = format!(
        "{text}\n[[methods]]\nname = \"groups\"\nrate = 1.0\nbatch = 32\nkind.asynchronous = {{ rule = {{ basgd = {{ buffers = 21 }} }} }}\n\
         [[expectations]]\nmethod = \"mean\"\nshare = 0.45\nis.at-least = 0.1\n"
    );
    let mistakes = Scenario::from_toml(&text).unwrap_err().mistakes;
    let expected = [
        "run.shares: expected a liar and an honest worker at least, found 0 liars of 20 workers at 0.01",
        "tuning.factors: expected them to rise, found [1.0, 1.0]",
        "methods.mean.wait.fastest: expected a number above 0, found 0",
        "methods.groups: expected buffers for at least a worker each",
        "tuning.cases: expected each once",
        "expectations: expected an attack with the share 0.45, found none",
    ];
    assert_mistakes(&mistakes, &expected);
}

#[test]
fn what_would_have_no_effect_is_reported() {
    let check_share = "check_share = 0.1";
    assert!(SMALL.contains(check_share));
    let text = SMALL
        .replace(check_share, "check_share = 0.0")
        .replace("kind = \"fast\"", "kind = \"replay\"\nfactor = 3.0");
    let text = format!(
        "{text}\n[data]\nsplit = \"shared\"\nalpha = 0.1\n[[methods]]\nname = \"alone\"\nrate = 1.0\nbatch = 32\nkind.control = {{}}\n\
         [[expectations]]\nmethod = \"plain\"\nattack = \"sign-flip\"\nis.at-least = 0.1\n\
         [[expectations]]\nmethod = \"alone\"\nattack = \"sign-flip\"\nshare = 0.3\nis.at-least = 0.1\n"
    );
    let found = Scenario::from_toml(&text).unwrap_err().mistakes;
    let expected = [
        "data: unknown field `alpha`",
        "attacks, number 2: unknown field `factor`",
        "methods.verified.check_share: expected a number above 0, found 0",
    ];
    assert_mistakes(&found, &expected);
    let text = text
        .replace("check_share = 0.0", check_share)
        .replace("alpha = 0.1\n", "")
        .replace("factor = 3.0\n", "");
    let text = text.replace("kind = \"replay\"", "kind = \"fast\"");
    let found = Scenario::from_toml(&text).unwrap_err().mistakes;
    let expected = [
        "tuning.cases: expected one without liars, as no others reach a control, found none",
        "expectations: expected an attack of the scenario and one of its shares above 0, found sign-flip and 0",
        "expectations: expected no attack on alone, which no liar reaches, found sign-flip",
    ];
    assert_mistakes(&found, &expected);
}

#[test]
fn names_that_nothing_has_are_reported() {
    let text = SMALL
        .replace("name = \"verified\"", "name = \"checked\"")
        .replace("attack = \"sign-flip\"", "attack = \"sign-flop\"");
    let mistakes = Scenario::from_toml(&text).unwrap_err().mistakes.join("\n");
    for part in ["one of the attacks sign-flip, fast, found sign-flop", "name of a method, found verified"] {
        assert!(mistakes.contains(part), "{part} in {mistakes}");
    }
}

#[test]
fn directions_that_the_model_has_not_are_refused() {
    let rule = "rule = \"plain\"";
    let text = SMALL.replace(rule, &format!("{rule}, directions = {{ hadamard = {{ block = 48 }} }}"));
    let folder = tempfile::tempdir().unwrap();
    let error = run(&options(&text), folder.path()).unwrap_err().to_string();
    assert!(error.contains("methods.plain.directions: expected a Hadamard block"), "{error}");
    let text = SMALL.replace(rule, "rule = { vote = { gamma = 0.1, window = 5 } }, direction_count = 9");
    let error = Scenario::from_toml(&text).unwrap_err().to_string();
    assert!(error.contains("vote needs one direction for each parameter"), "{error}");
}

#[test]
fn verified_is_refused_where_nobody_else_has_the_data() {
    let text = format!("{SMALL}\n[data]\nsplit = \"dirichlet\"\nalpha = 0.3\n");
    let error = Scenario::from_toml(&text).unwrap_err().to_string();
    assert!(error.contains("methods.verified: expected data that the server has"), "{error}");
}
