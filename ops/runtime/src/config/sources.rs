//! The places settings come from, as plain values: a test can give them all.

use std::path::{Path, PathBuf};

use figment::error::Error;
use figment::providers::{Format, Toml};
use figment::value::{Dict, Map, Value};
use figment::{Figment, Metadata, Profile, Provider};

use super::ConfigError;

/// The file that is read when none is named, if it exists.
const USUAL_FILE: &str = "fleet.toml";
const PREFIX: &str = "FLEET_";
/// Stands for the dot in a key, because a key's own words are joined by one underscore.
const DOT: &str = "__";

/// What to read, in rising order of weight: file, variables, single values.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    variables: Vec<Given>,
    values: Vec<Given>,
}

impl Sources {
    /// What a process should read: the file that `named` says or else `./fleet.toml`, and its
    /// environment.
    pub fn of_process(named: Option<&Path>) -> Self {
        let usual = Path::new(USUAL_FILE);
        let file = named
            .or_else(|| usual.is_file().then_some(usual))
            .map(Path::to_path_buf);
        let readable = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self::default()
            .file(file)
            .variables(std::env::vars_os().filter_map(readable))
    }

    #[must_use]
    pub fn file(mut self, file: Option<PathBuf>) -> Self {
        self.file = file;
        self
    }

    /// Takes the variables that name a setting.
    ///
    /// A key in a table is recognized by its double underscore, and must exist. With a single one,
    /// only a top-level key counts: Kubernetes puts `FLEET_SERVICE_HOST` and the like into every
    /// container beside a service called "fleet".
    #[must_use]
    pub fn variables(mut self, all: impl Iterator<Item = (String, String)>) -> Self {
        self.variables = all
            .filter_map(|(name, value)| {
                let key = name.strip_prefix(PREFIX)?.to_lowercase();
                let counts = key.contains(DOT) || key == "diagnostics";
                // Parsing reads numbers and flags, and takes anything else as text.
                let value = value.parse().unwrap_or_else(|never| match never {});
                let key = key.replace(DOT, ".");
                counts.then_some(Given {
                    origin: name,
                    key,
                    value,
                })
            })
            .collect();
        self
    }

    /// One value from the command line, by the setting's key.
    #[must_use]
    pub fn set(mut self, key: &str, value: impl Into<Value>) -> Self {
        let origin = "the command line".to_owned();
        self.values.push(Given {
            origin,
            key: key.to_owned(),
            value: value.into(),
        });
        self
    }

    pub(super) fn merge_into(self, mut figment: Figment) -> Result<Figment, ConfigError> {
        if let Some(path) = self.file {
            let text = std::fs::read_to_string(&path);
            let text = text.map_err(|source| ConfigError::File {
                path: path.clone(),
                source,
            })?;
            figment = figment.merge(NamedToml { path, text });
        }
        Ok(self
            .variables
            .into_iter()
            .chain(self.values)
            .fold(figment, Figment::merge))
    }
}

/// Where a value came from, for a message.
pub(super) fn describe(metadata: &Metadata) -> String {
    format!(" (from {})", metadata.name)
}

/// One value with the name of its origin, so that an error can say it.
#[derive(Debug, Clone)]
struct Given {
    origin: String,
    key: String,
    value: Value,
}

impl Provider for Given {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.origin.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        let nested = figment::util::nest(&self.key, self.value.clone());
        let table = nested.into_dict().unwrap_or_default();
        Ok(Profile::Default.collect(table))
    }
}

/// A file's text, which errors call by the file's path.
struct NamedToml {
    path: PathBuf,
    text: String,
}

impl Provider for NamedToml {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.path.display().to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Toml::string(&self.text).data()
    }
}
