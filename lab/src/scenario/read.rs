//! A scenario from its text, with every mistake in it.

use std::collections::BTreeSet;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Case, Data, Fleet, Kind, Method, Model, Network, Order, Rule, Run, Scenario, Tuning, Wait};
use crate::attack::Attack;
use crate::expectation::{Bound, Expectation};
use crate::fleet::part_of;

/// Why a text is no scenario: every mistake, each with where it is, what was expected and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", mistakes.join("\n"))]
pub struct ScenarioError {
    /// One line each.
    pub mistakes: Vec<String>,
}

/// The parts of a scenario.
const SECTIONS: [&str; 9] =
    ["run", "model", "data", "fleet", "network", "tuning", "methods", "attacks", "expectations"];

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// All mistakes in the text.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ScenarioError { mistakes: vec![error.to_string()] })?;
        let mut reader = Reader { table, mistakes: Vec::new() };
        reader.no_others();
        let scenario = (
            reader.section::<Run>("run"),
            reader.optional::<Model>("model"),
            reader.optional::<Data>("data"),
            reader.section::<Fleet>("fleet"),
            reader.optional::<Network>("network"),
            reader.section::<Tuning>("tuning"),
            reader.list::<Method>("methods"),
            reader.list::<Attack>("attacks"),
            reader.list::<Expectation>("expectations"),
        );
        let (
            Some(run),
            Some(model),
            Some(data),
            Some(fleet),
            Some(network),
            Some(tuning),
            methods,
            attacks,
            expectations,
        ) = scenario
        else {
            return Err(ScenarioError { mistakes: reader.mistakes });
        };
        let scenario = Self { run, model, data, fleet, network, tuning, methods, attacks, expectations };
        let mut mistakes = reader.mistakes;
        let whole = mistakes.is_empty();
        mistakes.extend(Check::of(&scenario, whole));
        if mistakes.is_empty() { Ok(scenario) } else { Err(ScenarioError { mistakes }) }
    }

    /// The attack of this name.
    pub fn attack(&self, name: &str) -> Option<Attack> {
        self.attacks.iter().copied().find(|attack| attack.name() == name)
    }
}

struct Reader {
    table: Table,
    mistakes: Vec<String>,
}

impl Reader {
    fn no_others(&mut self) {
        for key in self.table.keys().filter(|key| !SECTIONS.contains(&key.as_str())) {
            self.mistakes.push(format!("expected the sections {}, found {key}", SECTIONS.join(", ")));
        }
    }

    fn read<T: DeserializeOwned + Serialize>(&mut self, place: &str, value: Value) -> Option<T> {
        match value.clone().try_into::<T>() {
            Ok(read) => {
                let understood = Value::try_from(&read).expect("what was read is plain values");
                let ignored = ignored(&value, &understood).into_iter();
                self.mistakes.extend(ignored.map(|field| format!("{place}: unknown field `{field}`")));
                Some(read)
            }
            Err(error) => {
                self.mistakes.push(format!("{place}: {}", error.message().replace('\n', " ")));
                None
            }
        }
    }

    fn section<T: DeserializeOwned + Serialize>(&mut self, name: &str) -> Option<T> {
        let Some(value) = self.table.remove(name) else {
            self.mistakes.push(format!("expected a section {name}, found none"));
            return None;
        };
        self.read(name, value)
    }

    fn optional<T: DeserializeOwned + Serialize + Default>(&mut self, name: &str) -> Option<T> {
        if self.table.contains_key(name) { self.section(name) } else { Some(T::default()) }
    }

    /// Its elements that can be read; a list that is not there is empty.
    fn list<T: DeserializeOwned + Serialize>(&mut self, name: &str) -> Vec<T> {
        let values = match self.table.remove(name) {
            None => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(other) => {
                self.mistakes.push(format!("{name}: expected a list [[{name}]], found {}", other.type_str()));
                return Vec::new();
            }
        };
        let numbered = values.into_iter().enumerate();
        numbered.filter_map(|(n, value)| self.read(&format!("{name}, number {}", n + 1), value)).collect()
    }
}

/// Fields that were given and have no place in what was understood. Of those beside the tag of a variant that has none,
/// serde says nothing.
fn ignored(given: &Value, understood: &Value) -> Vec<String> {
    let (Value::Table(given), Value::Table(understood)) = (given, understood) else { return Vec::new() };
    let inside = |(name, value): (&String, &Value)| match understood.get(name) {
        None => vec![name.clone()],
        Some(understood) => ignored(value, understood),
    };
    given.iter().flat_map(inside).collect()
}

/// What is wrong with a scenario that can be read.
struct Check<'a> {
    scenario: &'a Scenario,
    mistakes: Vec<String>,
}

impl<'a> Check<'a> {
    /// Names are looked up only in a scenario that is `whole`, or one mistake would bring others.
    fn of(scenario: &'a Scenario, whole: bool) -> Vec<String> {
        let mut check = Self { scenario, mistakes: Vec::new() };
        check.run();
        check.fleet();
        check.tuning();
        check.methods();
        check.attacks();
        if whole {
            check.cases();
            check.expectations();
        }
        check.mistakes
    }

    fn expect(&mut self, right: bool, mistake: impl FnOnce() -> String) {
        if !right {
            self.mistakes.push(mistake());
        }
    }

    fn share(&mut self, place: &str, found: f64) {
        let right = (0.0..=1.0).contains(&found);
        self.expect(right, || format!("{place}: expected 0 to 1, found {found}"));
    }

    /// A share of liars, which is 0 or leaves some of both kinds.
    fn liars(&mut self, place: &str, share: f64) {
        let right = (0.0..1.0).contains(&share);
        self.expect(right, || format!("{place}: expected 0 to below 1, found {share}"));
        let workers = self.scenario.fleet.workers;
        let liars = part_of(workers, share);
        let both = !right || share == 0.0 || workers < 2 || (1..workers).contains(&liars);
        self.expect(both, || {
            format!("{place}: expected a liar and an honest worker at least, found {liars} liars of {workers} workers at {share}")
        });
    }

    fn at_least(&mut self, place: &str, least: f64, found: f64) {
        let right = found >= least && found.is_finite();
        self.expect(right, || format!("{place}: expected at least {least}, found {found}"));
    }

    fn above(&mut self, place: &str, found: f64) {
        let right = found > 0.0 && found.is_finite();
        self.expect(right, || format!("{place}: expected a number above 0, found {found}"));
    }

    fn distinct_seeds(&mut self, place: &str, seeds: &[u64]) {
        self.expect(!seeds.is_empty(), || format!("{place}: expected a seed, found none"));
        let distinct: BTreeSet<_> = seeds.iter().collect();
        self.expect(distinct.len() == seeds.len(), || {
            format!("{place}: expected each once, found {seeds:?}")
        });
    }

    fn run(&mut self) {
        let run = &self.scenario.run;
        self.expect(!self.scenario.methods.is_empty(), || {
            "expected a list [[methods]], found none".to_owned()
        });
        self.at_least("run.messages", 1.0, run.messages as f64);
        self.at_least("run.evaluate_every", 1.0, run.evaluate_every as f64);
        self.at_least("run.curve_images", 1.0, run.curve_images as f64);
        self.share("run.breaking_distance", run.breaking_distance);
        self.distinct_seeds("run.seeds", &run.seeds);
        self.expect(!run.shares.is_empty(), || "run.shares: expected a share, found none".to_owned());
        for &share in &run.shares {
            self.liars("run.shares", share);
        }
        let rising = run.shares.windows(2).all(|pair| pair[0] < pair[1]);
        self.expect(rising, || format!("run.shares: expected them to rise, found {:?}", run.shares));
    }

    fn fleet(&mut self) {
        let (fleet, network) = (&self.scenario.fleet, self.scenario.network);
        self.at_least("fleet.workers", 2.0, fleet.workers as f64);
        self.above("fleet.task_s", fleet.task_s);
        self.at_least("fleet.spread", 0.0, fleet.spread);
        self.at_least("fleet.jitter", 0.0, fleet.jitter);
        for stragglers in &fleet.stragglers {
            self.share("fleet.stragglers.share", stragglers.share);
            self.at_least("fleet.stragglers.slowdown", 1.0, stragglers.slowdown);
        }
        if let Some(dropout) = fleet.dropout {
            self.share("fleet.dropout.share", dropout.share);
            self.share("fleet.dropout.probability", dropout.probability);
            self.at_least("fleet.dropout.away_s", 0.0, dropout.away_s);
        }
        self.at_least("network.latency_s", 0.0, network.latency_s);
        self.at_least("network.spread", 0.0, network.spread);
        self.share("network.duplication", network.duplication);
        self.share("network.delay", network.delay);
        self.at_least("network.rejoin_s", 0.0, network.rejoin_s);
        let sometimes = (0.0..1.0).contains(&network.loss);
        self.expect(sometimes, || format!("network.loss: expected 0 to below 1, found {}", network.loss));
        if let Data::Dirichlet { alpha } = self.scenario.data {
            self.expect(alpha > 0.0 && alpha <= 1e6, || {
                format!("data.alpha: expected above 0 and at most 1000000, found {alpha}")
            });
        }
    }

    fn tuning(&mut self) {
        let tuning = &self.scenario.tuning;
        self.at_least("tuning.messages", 1.0, tuning.messages as f64);
        let right = !tuning.factors.is_empty() && tuning.factors.iter().all(|f| *f > 0.0 && f.is_finite());
        self.expect(right, || {
            format!("tuning.factors: expected numbers above 0, found {:?}", tuning.factors)
        });
        let rising = tuning.factors.windows(2).all(|pair| pair[0] < pair[1]);
        self.expect(rising, || format!("tuning.factors: expected them to rise, found {:?}", tuning.factors));
        self.distinct_seeds("tuning.seeds", &tuning.seeds);
    }

    fn cases(&mut self) {
        let tuning = &self.scenario.tuning;
        let can_choose = tuning.factors.len() < 2 || !tuning.cases.is_empty();
        self.expect(can_choose, || {
            "tuning.cases: expected a case to choose a factor by, found none".to_owned()
        });
        for case in &self.scenario.tuning.cases {
            let known = case.share == 0.0 || self.scenario.attack(&case.attack).is_some();
            self.expect(known, || {
                let names: Vec<_> = self.scenario.attacks.iter().map(Attack::name).collect();
                format!(
                    "tuning.cases: expected one of the attacks {}, found {}",
                    names.join(", "),
                    case.attack
                )
            });
            self.liars("tuning.cases.share", case.share);
        }
        let alone = self.scenario.methods.iter().any(Method::is_control);
        let reached = tuning.factors.len() < 2 || !alone || tuning.cases.iter().any(|case| case.share == 0.0);
        self.expect(reached, || {
            "tuning.cases: expected one without liars, as no others reach a control, found none".to_owned()
        });
        let condition = |case: &Case| (case.share > 0.0).then(|| (case.attack.clone(), case.share.to_bits()));
        let distinct: BTreeSet<_> = tuning.cases.iter().map(condition).collect();
        self.expect(distinct.len() == tuning.cases.len(), || {
            "tuning.cases: expected each once, and one without liars at most".to_owned()
        });
    }

    fn methods(&mut self) {
        let mut names = BTreeSet::new();
        for method in &self.scenario.methods {
            let name = &method.name;
            let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let right = !name.is_empty() && name.chars().all(plain);
            self.expect(right, || {
                format!("methods: expected a name of small letters, digits and hyphens, found {name:?}")
            });
            self.expect(names.insert(name), || {
                format!("methods: expected each name once, found {name} twice")
            });
            self.above(&format!("methods.{name}.rate"), method.rate);
            self.at_least(&format!("methods.{name}.batch"), 1.0, f64::from(method.batch));
            self.method(method);
        }
    }

    fn method(&mut self, Method { name, kind, .. }: &Method) {
        let beta = match kind {
            Kind::FarSign(far_sign) => far_sign.beta,
            Kind::Asynchronous(asynchronous) => asynchronous.beta,
            Kind::Synchronous(synchronous) => synchronous.beta,
            Kind::Control(control) => control.beta,
        };
        let right = beta > 0.0 && beta <= 1.0;
        self.expect(right, || format!("methods.{name}.beta: expected above 0 and at most 1, found {beta}"));
        if let Kind::Control(control) = kind {
            self.at_least(&format!("methods.{name}.join"), 1.0, control.join as f64);
        }
        let mistake = match kind {
            Kind::Asynchronous(asynchronous) => asynchronous.rule.mistake(self.scenario.fleet.workers),
            Kind::Synchronous(synchronous) => {
                if let Wait::Fastest(share) = synchronous.wait {
                    self.above(&format!("methods.{name}.wait.fastest"), share);
                    self.share(&format!("methods.{name}.wait.fastest"), share);
                }
                synchronous.aggregation.mistake()
            }
            Kind::FarSign(_) | Kind::Control(_) => None,
        };
        self.mistakes.extend(mistake.map(|mistake| format!("methods.{name}: {mistake}")));
        let Kind::FarSign(far_sign) = kind else { return };
        self.at_least(&format!("methods.{name}.direction_hold"), 1.0, f64::from(far_sign.direction_hold));
        let right = far_sign.horizon > 0.0 && far_sign.horizon <= 1.0;
        self.expect(right, || {
            format!("methods.{name}.horizon: expected above 0 and at most 1, found {}", far_sign.horizon)
        });
        if let Order::Zeroth { delta } = far_sign.order {
            self.above(&format!("methods.{name}.delta"), f64::from(delta));
        }
        match far_sign.rule {
            Rule::Vote { gamma, window } => {
                let all = far_sign.direction_count.is_none();
                self.expect(all, || {
                    format!("methods.{name}: vote needs one direction for each parameter; expected no direction_count")
                });
                let right = gamma > 0.0 && gamma <= 1.0 && window >= 1;
                self.expect(right, || {
                    format!("methods.{name}: expected gamma above 0 and at most 1 and a window of at least 1, found {gamma} and {window}")
                });
            }
            Rule::Verified { check_share } => {
                self.above(&format!("methods.{name}.check_share"), check_share);
                self.share(&format!("methods.{name}.check_share"), check_share);
                let shared = self.scenario.data == Data::Shared;
                self.expect(shared, || {
                    format!("methods.{name}: expected data that the server has (split = \"shared\"), found shards, whose answers nobody else can compute")
                });
            }
            Rule::Audited { every, batch } => {
                self.at_least(&format!("methods.{name}.every"), 1.0, every as f64);
                self.at_least(&format!("methods.{name}.rule.batch"), 1.0, f64::from(batch));
            }
            Rule::Plain | Rule::ServerTracked => {}
        }
    }

    fn attacks(&mut self) {
        let mut names = BTreeSet::new();
        for attack in &self.scenario.attacks {
            if let Some(mistake) = attack.mistake() {
                self.mistakes.push(format!("attacks: {mistake}"));
            }
            let (fresh, name) = (names.insert(attack.name()), attack.name());
            self.expect(fresh, || format!("attacks: expected each once, found {name} twice"));
        }
    }

    /// What is expected is measured.
    fn expectations(&mut self) {
        for Expectation { method, attack, share, is } in &self.scenario.expectations {
            let other = if let Bound::Above { method, .. } = is { Some(method) } else { None };
            for name in std::iter::once(method).chain(other) {
                let known = self.scenario.methods.iter().any(|method| method.name == *name);
                self.expect(known, || format!("expectations: expected the name of a method, found {name}"));
            }
            let Some(attack) = attack else {
                self.expect(*share == 0.0, || {
                    format!("expectations: expected an attack with the share {share}, found none")
                });
                continue;
            };
            let known = self.scenario.attack(attack).is_some() && self.scenario.run.shares.contains(share);
            self.expect(known && *share > 0.0, || {
                format!("expectations: expected an attack of the scenario and one of its shares above 0, found {attack} and {share}")
            });
            let alone = self.scenario.methods.iter().any(|one| one.name == *method && one.is_control());
            self.expect(!alone, || {
                format!("expectations: expected no attack on {method}, which no liar reaches, found {attack}")
            });
        }
    }
}
