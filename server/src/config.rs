//! Settings turned into a run: defaults filled in, everything checked, all mistakes reported at once.

mod admission;
pub mod binding;
mod edge;

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{PathBuf, absolute};
use std::time::Duration;

use farsign::assignment::{AssignmentOptions, ResetInterval};
use farsign::dataset::Dataset;
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::model::Architecture;
use farsign::optimizer::{FarSignOptions, Rule};
use farsign::schedule::{Decay, StepSize};
use farsign::task::RunSettings;

use crate::admission::{AdmissionOptions, Token};
use crate::coordinator::CheckOptions;
use crate::edge::EdgeLimits;
use crate::edge::tls::Tls;
use crate::seeds::RunSeeds;
use crate::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, ScheduleKind, Settings};
use crate::store::StoreOptions;

/// A checked configuration of `farsign serve`.
#[derive(Clone, Debug)]
pub struct Config {
    /// Address and port to listen on.
    pub listen: SocketAddr,
    /// What volunteers are told.
    pub run: RunSettings,
    /// How tasks are assigned; carries the rule.
    pub assignment: AssignmentOptions,
    /// How answers are checked; none unless the rule is `verified`.
    pub checks: Option<CheckOptions>,
    /// The slow step size.
    pub step_size: StepSize,
    /// The seed that everything random comes from.
    pub seed: u64,
    /// What comes from it.
    pub seeds: RunSeeds,
    /// Accepted contributions between evaluations.
    pub evaluate_every: u64,
    /// What sessions may cost.
    pub limits: Limits,
    /// What connections may cost.
    pub edge: EdgeLimits,
    /// Who may join.
    pub admission: AdmissionOptions,
    /// What the host's own API asks for; none: there is no such API.
    pub admin_token: Option<Token>,
    /// The certificate, for a server with TLS.
    pub tls: Option<Tls>,
    /// Folder of the training data; none: the built-in digits.
    pub data: Option<PathBuf>,
    /// How the run is saved, where it is.
    pub store: StoreOptions,
}

/// Bounds on sessions.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// From a task to its answer.
    pub task_expiry: Duration,
    /// From the connection to the hello.
    pub hello_timeout: Duration,
    /// From the start of a write to its end.
    pub write_timeout: Duration,
    /// Between two pings.
    pub ping_interval: Duration,
    /// From the wish to stop to the end of all sessions.
    pub drain_timeout: Duration,
}

/// Everything that is wrong with a configuration.
#[derive(Debug, PartialEq, Eq)]
pub struct Mistakes(pub Vec<String>);

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(mistakes) = self;
        write!(f, "{} in the configuration:", counted(mistakes.len(), "mistake"))?;
        mistakes.iter().try_for_each(|mistake| write!(f, "\n  - {mistake}"))
    }
}

impl std::error::Error for Mistakes {}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// Collects mistakes while values are read.
#[derive(Default)]
struct Checker(Vec<String>);

impl Checker {
    /// `value`, or `default`; a mistake if it is not accepted.
    fn number<T: Copy + fmt::Display>(
        &mut self,
        name: &str,
        value: Option<T>,
        default: T,
        range: (&str, impl Fn(T) -> bool),
    ) -> T {
        let value = value.unwrap_or(default);
        if !range.1(value) {
            self.0.push(format!("{name}: expected {}, found {value}", range.0));
        }
        value
    }

    fn fraction(&mut self, name: &str, value: Option<f32>, default: f32) -> f32 {
        self.number(name, value, default, ("a number above 0 and at most 1", |v| v > 0.0 && v <= 1.0))
    }

    fn positive(&mut self, name: &str, value: Option<f64>, default: f64) -> f64 {
        self.number(name, value, default, ("a number above 0", |v: f64| v > 0.0 && v.is_finite()))
    }

    fn duration_ms(&mut self, name: &str, value: Option<u32>, default: u32) -> u32 {
        let range = ("100 to 86400000 ms (a day)", |v| (100..=86_400_000).contains(&v));
        self.number(name, value, default, range)
    }

    /// A checked value, or nothing and a mistake.
    fn made<T, E: fmt::Display>(&mut self, name: &str, made: Result<T, E>) -> Option<T> {
        made.map_err(|error| self.0.push(format!("{name}: {error}"))).ok()
    }
}

impl Config {
    /// Checks settings against the training data and fills in defaults. `random_seed` is used when none is set.
    ///
    /// # Errors
    /// All mistakes, each naming its setting, what was expected and what was found.
    pub fn new(settings: &Settings, train: &Dataset, random_seed: u64) -> Result<Self, Mistakes> {
        let mut checker = Checker::default();
        let seed = settings.seed.unwrap_or(random_seed);
        let seeds = RunSeeds::new(seed);
        let order = order(settings, &mut checker);
        let architecture = architecture(settings, train, &mut checker);
        let directions =
            architecture.as_ref().and_then(|a| directions(settings, a.parameters(), &mut checker));
        let rule = rule(settings, seeds.directions, &mut checker);
        check_vote(rule, directions, &mut checker);
        let checks = checks(settings, &mut checker);
        let step_size = step_size(settings, &mut checker);
        let limits = limits(settings, &mut checker);
        let admission = admission::options(settings, &mut checker);
        let admin_token = admission::admin_token(settings, &mut checker);
        let edge = edge::limits(settings, limits.write_timeout, &mut checker);
        let tls = edge::tls(settings, &mut checker);
        let batch = batch(settings, &mut checker);
        let beta = checker.fraction("beta", settings.beta, 0.3);
        let assignment = AssignmentOptions {
            order,
            rule,
            minibatch_window: at_least_one(&mut checker, "minibatch-window", settings.minibatch_window, 25),
            direction_hold: at_least_one(
                &mut checker,
                "direction-hold",
                settings.direction_hold.map(u64::from),
                1,
            ) as u32,
            resets: checks.map(|_| ResetInterval::CHECKED),
        };
        let evaluate_every = at_least_one(&mut checker, "evaluate-every", settings.evaluate_every, 20);
        let store = store(settings, &mut checker);
        let (Some(architecture), Some(directions), true) = (architecture, directions, checker.0.is_empty())
        else {
            return Err(Mistakes(checker.0));
        };
        let run = RunSettings {
            run_id: seeds.run_id,
            architecture,
            order,
            directions,
            batch,
            beta,
            task_expiry_ms: limits.task_expiry.as_millis() as u32,
            train_digest: train.digest(),
        };
        let listen = settings.listen.unwrap_or((Ipv4Addr::LOCALHOST, 8080).into());
        let data = settings.data.as_ref().map(|folder| absolute(folder).unwrap_or_else(|_| folder.clone()));
        Ok(Self {
            listen,
            run,
            assignment,
            checks,
            step_size,
            seed,
            seeds,
            evaluate_every,
            limits,
            edge,
            admission,
            admin_token,
            tls,
            data,
            store,
        })
    }

    /// The optimizer before its first contribution.
    pub fn optimizer(&self) -> FarSignOptions {
        FarSignOptions {
            x: self.run.architecture.initial_parameters(self.seeds.parameters),
            directions: self.run.directions,
            step_size: self.step_size,
            rule: self.assignment.rule,
        }
    }
}

fn at_least_one(checker: &mut Checker, name: &str, value: Option<u64>, default: u64) -> u64 {
    // What a saved run is bound to is kept as TOML, and that has no larger numbers.
    let range = ("1 to 9223372036854775807", |v| (1..=i64::MAX as u64).contains(&v));
    checker.number(name, value, default, range)
}

fn is_zeroth(settings: &Settings) -> bool {
    settings.order == Some(OrderKind::Zeroth)
}

fn is_softmax(settings: &Settings) -> bool {
    settings.model == Some(ModelKind::Softmax)
}

fn is_verified(settings: &Settings) -> bool {
    settings.rule.unwrap_or(RuleKind::Verified) == RuleKind::Verified
}

fn order(settings: &Settings, checker: &mut Checker) -> Order {
    let delta =
        checker.number("delta", settings.delta, 0.01, ("0.000001 to 1000", |v| (1e-6..=1e3).contains(&v)));
    if is_zeroth(settings) { Order::Zeroth { delta } } else { Order::First }
}

fn architecture(settings: &Settings, train: &Dataset, checker: &mut Checker) -> Option<Architecture> {
    let range = ("1 to 65536 units", |v| (1..=65_536).contains(&v));
    let hidden = checker.number("hidden", settings.hidden, 128, range);
    let widths = if is_softmax(settings) {
        vec![train.pixels(), train.classes()]
    } else {
        vec![train.pixels(), hidden as usize, train.classes()]
    };
    checker.made("model", Architecture::new(widths))
}

fn directions(settings: &Settings, parameters: usize, checker: &mut Checker) -> Option<DirectionSpec> {
    let usual = if is_zeroth(settings) { FamilyKind::Sparse } else { FamilyKind::Coordinate };
    let family = match settings.directions.unwrap_or(usual) {
        FamilyKind::Coordinate => DirectionFamily::Coordinate,
        FamilyKind::Hadamard => DirectionFamily::Hadamard { block: settings.direction_block.unwrap_or(64) },
        FamilyKind::Rademacher => DirectionFamily::Rademacher,
        FamilyKind::Sparse => DirectionFamily::Sparse { nonzeros: settings.direction_nonzeros.unwrap_or(32) },
    };
    let usual = if is_zeroth(settings) { parameters.min(64) } else { parameters };
    let count = settings.direction_count.map_or(usual, |count| count as usize);
    checker.made("directions", DirectionSpec::new(family, count, parameters))
}

fn rule(settings: &Settings, direction_seed: u64, checker: &mut Checker) -> Rule {
    let gamma = checker.fraction("vote-gamma", settings.vote_gamma, 0.04);
    match settings.rule.unwrap_or(RuleKind::Verified) {
        RuleKind::Verified | RuleKind::Plain => Rule::Plain,
        RuleKind::Vote => Rule::Vote { gamma, direction_seed },
    }
}

fn checks(settings: &Settings, checker: &mut Checker) -> Option<CheckOptions> {
    let fraction = ("a number above 0 and at most 1", |v: f64| v > 0.0 && v <= 1.0);
    let share = checker.number("check-share", settings.check_share, 0.02, fraction);
    let cpu = ("a number from 0.001 to 1", |v: f64| (0.001..=1.0).contains(&v));
    let cpu_share = checker.number("check-cpu-share", settings.check_cpu_share, 0.5, cpu);
    let memory_bytes =
        at_least_one(checker, "check-memory-bytes", settings.check_memory_bytes, 256 << 20) as usize;
    is_verified(settings).then_some(CheckOptions { share, cpu_share, memory_bytes })
}

/// What stands against liars without checks is that honest answers agree, and they do when they stand on many images:
/// docs/results.md. Under checks a liar is found out, and small minibatches make checks cheap.
fn batch(settings: &Settings, checker: &mut Checker) -> u32 {
    let usual = match (is_zeroth(settings), is_verified(settings)) {
        (true, _) => 256,
        (false, true) => 128,
        (false, false) => 512,
    };
    checker.number("batch", settings.batch, usual, ("1 to 65536 images", |v| (1..=65_536).contains(&v)))
}

/// Under vote the directions are fixed, so fewer than `d` of them would leave the rest of the space untrained.
fn check_vote(rule: Rule, directions: Option<DirectionSpec>, checker: &mut Checker) {
    if let (Rule::Vote { .. }, Some(spec)) = (rule, directions)
        && spec.count() != spec.parameters()
    {
        let (expected, found) = (spec.parameters(), spec.count());
        checker.0.push(format!(
            "rule: vote needs one direction for each parameter; expected direction-count {expected}, found {found}"
        ));
    }
}

fn step_size(settings: &Settings, checker: &mut Checker) -> StepSize {
    let by_model = match (is_zeroth(settings), is_softmax(settings)) {
        (true, _) => 0.02,
        (false, true) => 1e-3,
        (false, false) => 5e-4,
    };
    let by_rule = if settings.rule == Some(RuleKind::Vote) { 0.3 } else { 1.0 };
    let initial = checker.positive("alpha", settings.alpha, by_model * by_rule);
    let horizon = checker.positive("horizon", settings.horizon, 10_000.0);
    let offset = checker.positive("power-offset", settings.power_offset, 1_000.0);
    let exponent = checker.positive("power-exponent", settings.power_exponent, 0.75);
    let decay = match settings.schedule.unwrap_or(ScheduleKind::Cosine) {
        ScheduleKind::Cosine => Decay::Cosine { horizon },
        ScheduleKind::Constant => Decay::Constant,
        ScheduleKind::PowerLaw => Decay::PowerLaw { offset, exponent },
    };
    StepSize { initial, decay }
}

fn store(settings: &Settings, checker: &mut Checker) -> StoreOptions {
    StoreOptions {
        checkpoint_every: at_least_one(checker, "checkpoint-every", settings.checkpoint_every, 500),
        retention_bytes: at_least_one(
            checker,
            "state-retention-bytes",
            settings.state_retention_bytes,
            256 << 20,
        ),
    }
}

fn limits(settings: &Settings, checker: &mut Checker) -> Limits {
    let mut duration =
        |name: &str, value, default| Duration::from_millis(checker.duration_ms(name, value, default).into());
    Limits {
        task_expiry: duration("task-expiry-ms", settings.task_expiry_ms, 120_000),
        hello_timeout: duration("hello-timeout-ms", settings.hello_timeout_ms, 10_000),
        write_timeout: duration("write-timeout-ms", settings.write_timeout_ms, 20_000),
        ping_interval: duration("ping-interval-ms", settings.ping_interval_ms, 30_000),
        drain_timeout: duration("drain-timeout-ms", settings.drain_timeout_ms, 5_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset_source;

    fn config(settings: &Settings) -> Result<Config, Mistakes> {
        Config::new(settings, &dataset_source::built_in().unwrap().train, 1)
    }

    #[test]
    fn defaults_make_a_run_of_the_mlp() {
        let config = config(&Settings::default()).unwrap();
        assert_eq!(config.run.architecture.to_string(), "mlp 784-128-10");
        assert_eq!(config.run.directions.count(), 101_770);
        assert_eq!(config.assignment.rule, Rule::Plain);
    }

    #[test]
    fn minibatches_are_larger_where_nothing_is_computed_again() {
        let batch = |order, rule| config(&Settings { order, rule, ..Settings::default() }).unwrap().run.batch;
        let (first, zeroth) = (Some(OrderKind::First), Some(OrderKind::Zeroth));
        assert_eq!(batch(None, None), 128);
        assert_eq!(batch(first, Some(RuleKind::Plain)), 512);
        assert_eq!(batch(first, Some(RuleKind::Vote)), 512);
        assert_eq!(batch(zeroth, None), 256);
    }

    #[test]
    fn every_mistake_is_reported_at_once_with_what_was_expected_and_found() {
        let settings = Settings {
            batch: Some(0),
            beta: Some(1.5),
            alpha: Some(f64::NAN),
            hidden: Some(0),
            max_volunteers: Some(0),
            task_expiry_ms: Some(5),
            minibatch_window: Some(0),
            max_connections: Some(0),
            joins_per_minute: Some(0),
            join_token: Some(String::new()),
            admin_token: Some("short".into()),
            allow_origin: Some("example.org".into()),
            trusted_proxy: Some("10.0.0.0/40".into()),
            ..Settings::default()
        };
        let Mistakes(mistakes) = config(&settings).unwrap_err();
        for (name, found) in [
            ("batch", "found 0"),
            ("beta", "found 1.5"),
            ("alpha", "found NaN"),
            ("hidden", "found 0"),
            ("max-volunteers", "found 0"),
            ("task-expiry-ms", "found 5"),
            ("minibatch-window", "found 0"),
            ("max-connections", "found 0"),
            ("joins-per-minute", "found 0"),
            ("join-token", "found 0"),
            ("admin-token", "found 5"),
            ("allow-origin", "found \"example.org\""),
            ("trusted-proxy", "found \"10.0.0.0/40\""),
        ] {
            let named = |m: &&String| m.starts_with(name) && m.contains("expected") && m.ends_with(found);
            assert!(mistakes.iter().any(|m| named(&m)), "no {name} in {mistakes:#?}");
        }
    }

    #[test]
    fn vote_needs_all_directions() {
        let settings =
            Settings { rule: Some(RuleKind::Vote), direction_count: Some(100), ..Settings::default() };
        let Mistakes(mistakes) = config(&settings).unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].contains("expected direction-count 101770, found 100"));
    }

    #[test]
    fn the_seed_decides_the_run() {
        let with = |seed| Settings { seed: Some(seed), ..Settings::default() };
        assert_eq!(config(&with(5)).unwrap().run, config(&with(5)).unwrap().run);
        assert_ne!(config(&with(5)).unwrap().run.run_id, config(&with(6)).unwrap().run.run_id);
    }
}
