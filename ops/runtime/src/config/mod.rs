//! Settings: where they come from, and what the process does with a bad one (it does not start).
//!
//! Later sources win: the defaults in `ops/fleet.toml` (built in), a file, `FLEET_…` variables, the
//! command line. Only this module reads them; everything else is handed values.

mod checks;
mod settings;
mod sources;

use std::fmt;
use std::path::PathBuf;

use figment::Figment;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Value};

pub use self::checks::Problem;
pub use self::settings::{Api, Database, DatabaseUrl, Log, LogFormat, Scheduler, Settings, Worker};
pub use self::sources::Sources;

/// The commented file with all defaults.
pub const DEFAULTS: &str = include_str!("../../../fleet.toml");

/// Why there are no settings.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("could not read the settings in {}", path.display())]
    File {
        path: PathBuf,
        source: std::io::Error,
    },
    /// A value of the wrong type, an unknown key, or text that is no TOML.
    #[error("{}", lines(.0))]
    Unreadable(Vec<String>),
    /// Values that are well formed, but can't be or contradict each other.
    #[error("{}", lines(.0))]
    Refused(Vec<Problem>),
}

fn lines<T: fmt::Display>(all: &[T]) -> String {
    let all: Vec<_> = all.iter().map(T::to_string).collect();
    format!("these settings can't be used: {}", all.join("; "))
}

impl Settings {
    /// Reads, merges and checks everything in `sources`.
    pub fn load(sources: Sources) -> Result<Self, ConfigError> {
        let figment = sources.merge_into(Figment::from(Toml::string(DEFAULTS)))?;
        let settings: Self = figment.extract().map_err(unreadable)?;
        let problems = checks::problems(&settings);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(ConfigError::Refused(problems))
        }
    }

    /// The settings in force, one `key = value` a line (which is TOML), passwords masked.
    pub fn effective(&self) -> String {
        let all = Value::serialize(self).expect("settings are plain tables, texts and numbers");
        let mut lines = Vec::new();
        flatten("", &all, &mut lines);
        lines.join("\n")
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.effective())
    }
}

fn flatten(path: &str, value: &Value, lines: &mut Vec<String>) {
    let shown = match value {
        Value::Dict(_, table) if !table.is_empty() => return flatten_table(path, table, lines),
        Value::Dict(..) => "{}".to_owned(),
        Value::String(_, text) => format!("{text:?}"),
        Value::Bool(_, flag) => flag.to_string(),
        Value::Num(_, number) => number
            .to_u128()
            .expect("no setting is negative or a fraction")
            .to_string(),
        other => unreachable!("no setting is of this kind: {other:?}"),
    };
    lines.push(format!("{path} = {shown}"));
}

fn flatten_table(path: &str, table: &Dict, lines: &mut Vec<String>) {
    for (key, inner) in table {
        let path = if path.is_empty() {
            key.clone()
        } else {
            format!("{path}.{key}")
        };
        flatten(&path, inner, lines);
    }
}

/// Says of each problem its key, what is wrong and which source it came from.
fn unreadable(errors: figment::Error) -> ConfigError {
    let describe = |e: figment::Error| {
        let mut key = e.path.clone();
        if let figment::error::Kind::UnknownField(name, _) = &e.kind {
            // The path ends at the table that holds the key.
            key.retain(|part| part != name);
            key.push(name.clone());
        }
        let place = e
            .metadata
            .as_ref()
            .map_or_else(String::new, sources::describe);
        format!("{}{}: {}", key.join("."), place, e.kind)
    };
    ConfigError::Unreadable(errors.into_iter().map(describe).collect())
}

#[cfg(test)]
mod tests;
