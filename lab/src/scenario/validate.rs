//! Validation of a scenario that could be read.

use std::collections::BTreeSet;

use farsign_attacks::Attack;

use crate::scenario::{
    Assertion, Bound, DataSplit, FarSignMethod, FarSignRule, Method, MethodKind, OrderConfig,
    Scenario, TaskParameters, TuningCase, Wait, count_of_fraction,
};

/// Returns all mistakes. References by name are checked only in a `complete` scenario, as one mistake would cause others.
pub fn validate(scenario: &Scenario, complete: bool) -> Vec<String> {
    let mut validator = Validator {
        scenario,
        mistakes: Vec::new(),
    };
    validator.run();
    validator.fleet();
    validator.tuning();
    validator.methods();
    validator.attacks();
    if complete {
        validator.cases();
        validator.assertions();
    }
    validator.mistakes
}

struct Validator<'a> {
    scenario: &'a Scenario,
    mistakes: Vec<String>,
}

impl Validator<'_> {
    fn expect(&mut self, valid: bool, mistake: impl FnOnce() -> String) {
        if !valid {
            self.mistakes.push(mistake());
        }
    }

    fn fraction(&mut self, place: &str, found: f64) {
        let valid = (0.0..=1.0).contains(&found);
        self.expect(valid, || format!("{place}: expected 0 to 1, found {found}"));
    }

    /// A Byzantine fraction is 0, or leaves at least one honest worker and one attacker.
    fn byzantine_fraction(&mut self, place: &str, fraction: f64) {
        let valid = (0.0..1.0).contains(&fraction);
        self.expect(valid, || {
            format!("{place}: expected 0 to below 1, found {fraction}")
        });
        let workers = self.scenario.fleet.workers;
        let attackers = count_of_fraction(workers, fraction);
        let both = !valid || fraction == 0.0 || workers < 2 || (1..workers).contains(&attackers);
        self.expect(both, || {
            format!(
                "{place}: expected at least one attacker and one honest worker, found {attackers} attackers of \
                 {workers} workers at {fraction}"
            )
        });
    }

    fn at_least(&mut self, place: &str, min: f64, found: f64) {
        let valid = found >= min && found.is_finite();
        self.expect(valid, || {
            format!("{place}: expected at least {min}, found {found}")
        });
    }

    fn above_zero(&mut self, place: &str, found: f64) {
        let valid = found > 0.0 && found.is_finite();
        self.expect(valid, || {
            format!("{place}: expected a number above 0, found {found}")
        });
    }

    fn above_zero_to_one(&mut self, place: &str, found: f64) {
        self.expect(found > 0.0 && found <= 1.0, || {
            format!("{place}: expected above 0 and at most 1, found {found}")
        });
    }

    fn increasing(&mut self, place: &str, found: &[f64]) {
        let valid = found.windows(2).all(|pair| pair[0] < pair[1]);
        self.expect(valid, || {
            format!("{place}: expected increasing values, found {found:?}")
        });
    }

    fn distinct_seeds(&mut self, place: &str, seeds: &[u64]) {
        self.expect(!seeds.is_empty(), || {
            format!("{place}: expected a seed, found none")
        });
        let distinct: BTreeSet<_> = seeds.iter().collect();
        self.expect(distinct.len() == seeds.len(), || {
            format!("{place}: expected each seed once, found {seeds:?}")
        });
    }

    fn run(&mut self) {
        let run = &self.scenario.run;
        self.expect(!self.scenario.methods.is_empty(), || {
            "expected a list [[methods]], found none".to_owned()
        });
        self.at_least("run.updates", 1.0, run.updates as f64);
        self.at_least("run.evaluate_every", 1.0, run.evaluate_every as f64);
        self.at_least("run.curve_images", 1.0, run.curve_images as f64);
        self.fraction("run.breaking_distance", run.breaking_distance);
        self.distinct_seeds("run.seeds", &run.seeds);
        self.expect(!run.byzantine_fractions.is_empty(), || {
            "run.byzantine_fractions: expected a fraction, found none".to_owned()
        });
        for &fraction in &run.byzantine_fractions {
            self.byzantine_fraction("run.byzantine_fractions", fraction);
        }
        self.increasing("run.byzantine_fractions", &run.byzantine_fractions);
    }

    fn fleet(&mut self) {
        let fleet = &self.scenario.fleet;
        self.at_least("fleet.workers", 2.0, fleet.workers as f64);
        self.above_zero("fleet.task_s", fleet.task_s);
        self.at_least("fleet.spread", 0.0, fleet.spread);
        self.at_least("fleet.jitter", 0.0, fleet.jitter);
        for stragglers in &fleet.stragglers {
            self.fraction("fleet.stragglers.fraction", stragglers.fraction);
            self.at_least("fleet.stragglers.slowdown", 1.0, stragglers.slowdown);
        }
        if let Some(dropout) = fleet.dropout {
            self.fraction("fleet.dropout.fraction", dropout.fraction);
            self.fraction("fleet.dropout.probability", dropout.probability);
            self.at_least("fleet.dropout.away_s", 0.0, dropout.away_s);
        }
        let network = self.scenario.network;
        self.at_least("network.latency_s", 0.0, network.latency_s);
        self.at_least("network.spread", 0.0, network.spread);
        self.fraction("network.duplication", network.duplication);
        self.fraction("network.delay", network.delay);
        self.at_least("network.rejoin_s", 0.0, network.rejoin_s);
        let valid = (0.0..1.0).contains(&network.loss);
        self.expect(valid, || {
            format!(
                "network.loss: expected 0 to below 1, found {}",
                network.loss
            )
        });
        if let DataSplit::Dirichlet { alpha } = self.scenario.data {
            self.expect(alpha > 0.0 && alpha <= 1e6, || {
                format!("data.alpha: expected above 0 and at most 1000000, found {alpha}")
            });
        }
    }

    fn tuning(&mut self) {
        let tuning = &self.scenario.tuning;
        self.at_least("tuning.updates", 1.0, tuning.updates as f64);
        let valid =
            !tuning.factors.is_empty() && tuning.factors.iter().all(|f| *f > 0.0 && f.is_finite());
        self.expect(valid, || {
            format!(
                "tuning.factors: expected numbers above 0, found {:?}",
                tuning.factors
            )
        });
        self.increasing("tuning.factors", &tuning.factors);
        self.distinct_seeds("tuning.seeds", &tuning.seeds);
    }

    fn cases(&mut self) {
        let tuning = &self.scenario.tuning;
        let searches = tuning.factors.len() >= 2;
        self.expect(!searches || !tuning.cases.is_empty(), || {
            "tuning.cases: expected a case to choose a factor by, found none".to_owned()
        });
        for case in &tuning.cases {
            let known =
                case.byzantine_fraction == 0.0 || self.scenario.attack(&case.attack).is_some();
            self.expect(known, || {
                let names: Vec<_> = self.scenario.attacks.iter().map(Attack::name).collect();
                format!(
                    "tuning.cases: expected one of the attacks {}, found {}",
                    names.join(", "),
                    case.attack
                )
            });
            self.byzantine_fraction("tuning.cases.byzantine_fraction", case.byzantine_fraction);
        }
        let centralized = self.scenario.methods.iter().any(Method::is_centralized);
        let clean = tuning
            .cases
            .iter()
            .any(|case| case.byzantine_fraction == 0.0);
        self.expect(!(searches && centralized) || clean, || {
            "tuning.cases: expected a case without an attack for the centralized method, found none"
                .to_owned()
        });
        let condition = |case: &TuningCase| {
            (case.byzantine_fraction > 0.0)
                .then(|| (case.attack.clone(), case.byzantine_fraction.to_bits()))
        };
        let distinct: BTreeSet<_> = tuning.cases.iter().map(condition).collect();
        self.expect(distinct.len() == tuning.cases.len(), || {
            "tuning.cases: expected each case once, and at most one without an attack".to_owned()
        });
    }

    fn methods(&mut self) {
        let mut names = BTreeSet::new();
        for method in &self.scenario.methods {
            let name = &method.name;
            let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            let valid = !name.is_empty() && name.chars().all(allowed);
            self.expect(valid, || {
                format!("methods: expected a name of lower-case letters, digits and hyphens, found {name:?}")
            });
            self.expect(names.insert(name), || {
                format!("methods: expected each name once, found {name} twice")
            });
            self.above_zero(
                &format!("methods.{name}.learning_rate"),
                method.learning_rate,
            );
            self.at_least(
                &format!("methods.{name}.batch"),
                1.0,
                f64::from(method.batch),
            );
            self.method(method);
        }
    }

    fn method(&mut self, Method { name, kind, .. }: &Method) {
        let beta = match kind {
            MethodKind::FarSign(far_sign) => far_sign.beta,
            MethodKind::Asynchronous(asynchronous) => asynchronous.beta,
            MethodKind::Synchronous(synchronous) => synchronous.beta,
            MethodKind::Centralized(centralized) => centralized.beta,
        };
        self.expect(beta > 0.0 && beta <= 1.0, || {
            format!("methods.{name}.beta: expected above 0 and at most 1, found {beta}")
        });
        let rule = match kind {
            MethodKind::FarSign(far_sign) => {
                self.far_sign(name, far_sign);
                Ok(())
            }
            MethodKind::Asynchronous(asynchronous) => {
                asynchronous.rule.validate(self.scenario.fleet.workers)
            }
            MethodKind::Synchronous(synchronous) => {
                if let Wait::Fastest(fraction) = synchronous.wait {
                    self.above_zero_to_one(&format!("methods.{name}.wait.fastest"), fraction);
                }
                synchronous.aggregator.validate()
            }
            MethodKind::Centralized(centralized) => {
                self.at_least(
                    &format!("methods.{name}.join"),
                    1.0,
                    centralized.join as f64,
                );
                Ok(())
            }
        };
        self.mistakes.extend(
            rule.err()
                .map(|mistake| format!("methods.{name}: {mistake}")),
        );
    }

    fn far_sign(&mut self, name: &str, method: &FarSignMethod) {
        self.at_least(
            &format!("methods.{name}.direction_reuse"),
            1.0,
            f64::from(method.direction_reuse),
        );
        self.above_zero_to_one(&format!("methods.{name}.horizon"), method.horizon);
        if let OrderConfig::Zeroth { delta } = method.order {
            self.above_zero(&format!("methods.{name}.delta"), f64::from(delta));
        }
        match method.rule {
            FarSignRule::Vote { gamma, window } => {
                self.expect(method.direction_count.is_none(), || {
                    format!(
                        "methods.{name}: vote needs one direction for each parameter; expected no direction_count"
                    )
                });
                let valid = gamma > 0.0 && gamma <= 1.0 && window >= 1;
                self.expect(valid, || {
                    format!(
                        "methods.{name}: expected gamma above 0 and at most 1 and a window of at least 1, found \
                         {gamma} and {window}"
                    )
                });
            }
            FarSignRule::Verified { verify_probability } => {
                self.above_zero_to_one(
                    &format!("methods.{name}.verify_probability"),
                    verify_probability,
                );
                self.expect(self.scenario.data == DataSplit::Shared, || {
                    format!(
                        "methods.{name}: expected data that the server has (split = \"shared\"), found shards, whose \
                         updates the server cannot recompute"
                    )
                });
                self.expect(method.parameters == TaskParameters::Published, || {
                    format!(
                        "methods.{name}: expected published parameters, from which the server recomputes updates, found \
                         exact ones"
                    )
                });
            }
            FarSignRule::Audited { every, batch } => {
                self.at_least(&format!("methods.{name}.every"), 1.0, every as f64);
                self.at_least(&format!("methods.{name}.rule.batch"), 1.0, f64::from(batch));
            }
            FarSignRule::Plain | FarSignRule::ServerMomentum => {}
        }
    }

    fn attacks(&mut self) {
        let mut names = BTreeSet::new();
        for attack in &self.scenario.attacks {
            self.mistakes.extend(
                attack
                    .validate()
                    .err()
                    .map(|mistake| format!("attacks: {mistake}")),
            );
            let name = attack.name();
            self.expect(names.insert(name), || {
                format!("attacks: expected each attack once, found {name} twice")
            });
        }
    }

    /// An assertion refers to a condition of the scenario.
    fn assertions(&mut self) {
        for assertion in &self.scenario.assertions {
            let Assertion {
                method,
                attack,
                byzantine_fraction: fraction,
                is,
            } = assertion;
            let other = if let Bound::Above { method, .. } = is {
                Some(method)
            } else {
                None
            };
            for name in std::iter::once(method).chain(other) {
                let known = self
                    .scenario
                    .methods
                    .iter()
                    .any(|method| method.name == *name);
                self.expect(known, || {
                    format!("assertions: expected the name of a method, found {name}")
                });
            }
            let Some(attack) = attack else {
                self.expect(*fraction == 0.0, || {
                    format!(
                        "assertions: expected an attack with the Byzantine fraction {fraction}, found none"
                    )
                });
                continue;
            };
            let run = &self.scenario.run;
            let known = self.scenario.attack(attack).is_some()
                && run.byzantine_fractions.contains(fraction);
            self.expect(known && *fraction > 0.0, || {
                format!(
                    "assertions: expected an attack and a Byzantine fraction above 0 of the scenario, found \
                     {attack} and {fraction}"
                )
            });
            let centralized = self
                .scenario
                .methods
                .iter()
                .any(|m| m.name == *method && m.is_centralized());
            self.expect(!centralized, || {
                format!("assertions: expected no attack on {method}, which has no workers, found {attack}")
            });
        }
    }
}
