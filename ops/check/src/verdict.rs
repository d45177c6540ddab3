//! What the rules found, for people and for programs.

use std::fmt;

use serde::Serialize;

/// The rulings of a run, one an invariant.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Verdict {
    /// In the order of the invariants.
    pub findings: Vec<Finding>,
}

/// What a rule found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// I1, I2 and so on.
    pub invariant: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// Whether that was kept.
    #[serde(flatten)]
    pub ruling: Ruling,
}

/// Whether a promise was kept.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "ruling", rename_all = "snake_case")]
pub enum Ruling {
    /// As far as the evidence goes.
    Kept {
        /// How many things were looked at.
        looked_at: usize,
    },
    /// The evidence shows nothing of it.
    Unseen {
        /// Why not.
        why: &'static str,
    },
    /// Not kept.
    Broken {
        /// Each with the events that show it.
        violations: Vec<Violation>,
    },
}

/// One breach.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Violation {
    /// In a sentence.
    pub said: String,
    /// The events, or rows, that show it.
    pub shown_by: Vec<String>,
}

impl Ruling {
    /// Broken where there are violations.
    pub(crate) fn of(looked_at: usize, violations: Vec<Violation>) -> Self {
        if violations.is_empty() {
            Self::Kept { looked_at }
        } else {
            Self::Broken { violations }
        }
    }

    /// Its breaches.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Broken { violations } => violations,
            Self::Kept { .. } | Self::Unseen { .. } => &[],
        }
    }
}

impl Violation {
    pub(crate) fn new(said: impl Into<String>, shown_by: &[&dyn fmt::Display]) -> Self {
        Self {
            said: said.into(),
            shown_by: shown_by.iter().map(ToString::to_string).collect(),
        }
    }
}

impl Verdict {
    /// True where no invariant is broken.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.violations() == 0
    }

    /// Breaches of all invariants.
    #[must_use]
    pub fn violations(&self) -> usize {
        let each = self.findings.iter().map(|f| f.ruling.violations().len());
        each.sum()
    }
}
