//! Options of the training, from settings.

use farsign::dataset::{Dataset, PixelOrder};
use farsign::direction::{DirectionFamily, DirectionSpec};
use farsign::estimate::Order;
use farsign::model::Architecture;
use farsign::optimizer::Rule;
use farsign::schedule::{Decay, StepSize};

use crate::config::settings::{FamilyKind, ModelKind, OrderKind, RuleKind, ScheduleKind, Settings};
use crate::config::validate::Validator;
use crate::verifier::VerificationOptions;

fn is_zeroth(settings: &Settings) -> bool {
    settings.order == Some(OrderKind::Zeroth)
}

fn is_softmax(settings: &Settings) -> bool {
    settings.model == Some(ModelKind::Softmax)
}

fn rule_kind(settings: &Settings) -> RuleKind {
    settings.rule.unwrap_or(RuleKind::Verified)
}

/// Returns the order of the pixels in the files. The built-in digits have one order only.
pub(super) fn pixel_order(settings: &Settings, validator: &mut Validator) -> PixelOrder {
    let order = settings
        .pixel_order
        .map_or(PixelOrder::default(), PixelOrder::from);
    if settings.data.is_none() && order != PixelOrder::Rows {
        validator.error(
            "pixel-order: expected rows for the built-in digits, found columns; --data names the folder of other data"
                .to_owned(),
        );
    }
    order
}

/// Builds the order.
pub(super) fn order(settings: &Settings, validator: &mut Validator) -> Order {
    let delta = settings.delta(validator);
    if is_zeroth(settings) {
        Order::Zeroth { delta }
    } else {
        Order::First
    }
}

/// Builds the architecture of the model for the data; `None` if it is invalid.
pub(super) fn architecture(
    settings: &Settings,
    train: &Dataset,
    validator: &mut Validator,
) -> Option<Architecture> {
    let hidden = settings.hidden(validator) as usize;
    let widths = if is_softmax(settings) {
        vec![train.pixels(), train.classes()]
    } else {
        vec![train.pixels(), hidden, train.classes()]
    };
    validator.ok("model", Architecture::new(widths))
}

/// Builds the directions of a model with n parameters; `None` if they are invalid.
pub(super) fn directions(
    settings: &Settings,
    parameters: usize,
    validator: &mut Validator,
) -> Option<DirectionSpec> {
    let default = if is_zeroth(settings) {
        FamilyKind::Sparse
    } else {
        FamilyKind::Coordinate
    };
    let family = match settings.directions.unwrap_or(default) {
        FamilyKind::Coordinate => DirectionFamily::Coordinate,
        FamilyKind::Hadamard => DirectionFamily::Hadamard {
            block: settings.direction_block.unwrap_or(64),
        },
        FamilyKind::Rademacher => DirectionFamily::Rademacher,
        FamilyKind::Sparse => DirectionFamily::Sparse {
            nonzeros: settings.direction_nonzeros.unwrap_or(32),
        },
    };
    let default = if is_zeroth(settings) {
        parameters.min(64)
    } else {
        parameters
    };
    let count = settings
        .direction_count
        .map_or(default, |count| count as usize);
    validator.ok("directions", DirectionSpec::new(family, count, parameters))
}

/// Builds the rule of the optimizer.
pub(super) fn rule(settings: &Settings, direction_seed: u64, validator: &mut Validator) -> Rule {
    let gamma = settings.vote_gamma(validator);
    match rule_kind(settings) {
        RuleKind::Verified | RuleKind::Plain => Rule::Plain,
        RuleKind::Vote => Rule::Vote {
            gamma,
            direction_seed,
        },
    }
}

/// Checks the directions under vote. They are fixed then, so fewer than `d` would leave part of the space untrained.
pub(super) fn check_vote(rule: Rule, directions: Option<DirectionSpec>, validator: &mut Validator) {
    if let (Rule::Vote { .. }, Some(spec)) = (rule, directions)
        && spec.count() != spec.parameters()
    {
        let expected = spec.parameters();
        let found = spec.count();
        validator.error(format!(
            "rule: vote needs one direction for each parameter; expected direction-count {expected}, found {found}"
        ));
    }
}

/// Builds the options of verification; `None` unless the rule is `verified`.
pub(super) fn verification(
    settings: &Settings,
    validator: &mut Validator,
) -> Option<VerificationOptions> {
    let options = VerificationOptions {
        probability: settings.verify_probability(validator),
        cpu_fraction: settings.verify_cpu_fraction(validator),
        memory_bytes: settings.verify_memory_bytes(validator) as usize,
    };
    (rule_kind(settings) == RuleKind::Verified).then_some(options)
}

/// Returns the images per minibatch. Without verification, Byzantine tolerance depends on agreement among honest
/// updates, which grows with the minibatch (docs/results.md). With verification, small minibatches make it cheap.
pub(super) fn batch(settings: &Settings, validator: &mut Validator) -> u32 {
    let default = match (
        is_zeroth(settings),
        rule_kind(settings) == RuleKind::Verified,
    ) {
        (true, _) => 256,
        (false, true) => 128,
        (false, false) => 512,
    };
    validator.in_range(
        "batch",
        settings.batch.unwrap_or(default),
        1,
        65_536,
        " images",
    )
}

/// Builds the slow step size.
pub(super) fn step_size(settings: &Settings, validator: &mut Validator) -> StepSize {
    let by_model = match (is_zeroth(settings), is_softmax(settings)) {
        (true, _) => 0.02,
        (false, true) => 1e-3,
        (false, false) => 5e-4,
    };
    let by_rule = if settings.rule == Some(RuleKind::Vote) {
        0.3
    } else {
        1.0
    };
    let initial = validator.positive("alpha", settings.alpha.unwrap_or(by_model * by_rule), None);
    let horizon = settings.horizon(validator);
    let offset = settings.power_offset(validator);
    let exponent = settings.power_exponent(validator);
    let decay = match settings.schedule.unwrap_or(ScheduleKind::Cosine) {
        ScheduleKind::Cosine => Decay::Cosine { horizon },
        ScheduleKind::Constant => Decay::Constant,
        ScheduleKind::PowerLaw => Decay::PowerLaw { offset, exponent },
    };
    StepSize { initial, decay }
}
