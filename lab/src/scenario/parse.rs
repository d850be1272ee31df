//! Reads a scenario from its text, and reports every mistake in it.

use farsign_attacks::Attack;
use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use crate::scenario::validate::validate;
use crate::scenario::{
    Assertion, DataSplit, Fleet, Method, ModelConfig, NetworkModel, RunConfig, Scenario, Tuning,
};

/// All mistakes in a scenario, each with its place, the expected and the found value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}", mistakes.join("\n"))]
pub struct ScenarioError {
    /// One line per mistake.
    pub mistakes: Vec<String>,
}

/// The sections of a scenario.
const SECTIONS: [&str; 9] = [
    "run",
    "model",
    "data",
    "fleet",
    "network",
    "tuning",
    "methods",
    "attacks",
    "assertions",
];

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// Returns all mistakes in the text.
    pub fn from_toml(text: &str) -> Result<Self, ScenarioError> {
        let table: Table = text
            .parse()
            .map_err(|error: toml::de::Error| ScenarioError {
                mistakes: vec![error.to_string()],
            })?;
        let mut reader = Reader {
            table,
            mistakes: Vec::new(),
        };
        reader.reject_unknown_sections();
        let run = reader.section::<RunConfig>("run");
        let model = reader.optional::<ModelConfig>("model");
        let data = reader.optional::<DataSplit>("data");
        let fleet = reader.section::<Fleet>("fleet");
        let network = reader.optional::<NetworkModel>("network");
        let tuning = reader.section::<Tuning>("tuning");
        let methods = reader.list::<Method>("methods");
        let attacks = reader.list::<Attack>("attacks");
        let assertions = reader.list::<Assertion>("assertions");
        let sections = (run, model, data, fleet, network, tuning);
        let (Some(run), Some(model), Some(data), Some(fleet), Some(network), Some(tuning)) =
            sections
        else {
            return Err(ScenarioError {
                mistakes: reader.mistakes,
            });
        };
        let scenario = Self {
            run,
            model,
            data,
            fleet,
            network,
            tuning,
            methods,
            attacks,
            assertions,
        };
        let mut mistakes = reader.mistakes;
        let complete = mistakes.is_empty();
        mistakes.extend(validate(&scenario, complete));
        if mistakes.is_empty() {
            Ok(scenario)
        } else {
            Err(ScenarioError { mistakes })
        }
    }
}

struct Reader {
    table: Table,
    mistakes: Vec<String>,
}

impl Reader {
    fn reject_unknown_sections(&mut self) {
        for key in self
            .table
            .keys()
            .filter(|key| !SECTIONS.contains(&key.as_str()))
        {
            self.mistakes.push(format!(
                "expected the sections {}, found {key}",
                SECTIONS.join(", ")
            ));
        }
    }

    fn read<T: DeserializeOwned + Serialize>(&mut self, place: &str, value: Value) -> Option<T> {
        match value.clone().try_into::<T>() {
            Ok(read) => {
                let understood =
                    Value::try_from(&read).expect("a section consists of plain values");
                let ignored = ignored_fields(&value, &understood).into_iter();
                self.mistakes
                    .extend(ignored.map(|field| format!("{place}: unknown field `{field}`")));
                Some(read)
            }
            Err(error) => {
                self.mistakes
                    .push(format!("{place}: {}", error.message().replace('\n', " ")));
                None
            }
        }
    }

    fn section<T: DeserializeOwned + Serialize>(&mut self, name: &str) -> Option<T> {
        let Some(value) = self.table.remove(name) else {
            self.mistakes
                .push(format!("expected a section {name}, found none"));
            return None;
        };
        self.read(name, value)
    }

    fn optional<T: DeserializeOwned + Serialize + Default>(&mut self, name: &str) -> Option<T> {
        if self.table.contains_key(name) {
            self.section(name)
        } else {
            Some(T::default())
        }
    }

    /// Returns the valid elements of a list; a missing list is empty.
    fn list<T: DeserializeOwned + Serialize>(&mut self, name: &str) -> Vec<T> {
        let values = match self.table.remove(name) {
            None => return Vec::new(),
            Some(Value::Array(values)) => values,
            Some(other) => {
                self.mistakes.push(format!(
                    "{name}: expected a list [[{name}]], found {}",
                    other.type_str()
                ));
                return Vec::new();
            }
        };
        let numbered = values.into_iter().enumerate();
        numbered
            .filter_map(|(n, value)| self.read(&format!("{name}, number {}", n + 1), value))
            .collect()
    }
}

/// Returns the given fields that have no effect. Serde does not report unknown fields beside the tag of a unit variant.
fn ignored_fields(given: &Value, understood: &Value) -> Vec<String> {
    let (Value::Table(given), Value::Table(understood)) = (given, understood) else {
        return Vec::new();
    };
    let inside = |(name, value): (&String, &Value)| match understood.get(name) {
        None => vec![name.clone()],
        Some(understood) => ignored_fields(value, understood),
    };
    given.iter().flat_map(inside).collect()
}
