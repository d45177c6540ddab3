//! What the documents name exists: a promise whose test is gone is a promise nobody keeps.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::tidy::sources;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const INVARIANTS: usize = 13;
/// Column of the table of invariants.
const TESTED_BY: usize = 4;

/// Full names of the functions in this binary, as a test run prints them.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (path, text) in sources("rs") {
        let Ok(inside) = path.strip_prefix("tests/it") else {
            continue;
        };
        let module = module_of(inside);
        let functions = text.lines().filter_map(|line| {
            let line = line.trim_start().trim_start_matches("async ");
            line.strip_prefix("fn ")?.split(['(', '<']).next()
        });
        names.extend(functions.map(|function| format!("{module}::{function}")));
    }
    names
}

fn module_of(file: &Path) -> String {
    let path = file.with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("::").trim_end_matches("::mod").to_owned()
}

fn architecture() -> String {
    std::fs::read_to_string(PathBuf::from(ROOT).join("ARCHITECTURE.md")).unwrap()
}

/// What stands between backticks.
fn spoken_of(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

#[test]
fn every_invariant_names_a_test_that_exists() {
    let (tests, text) = (tests(), architecture());
    for n in 1..=INVARIANTS {
        let head = format!("| I{n} |");
        let row = text.lines().find(|line| line.starts_with(&head));
        let row = row.unwrap_or_else(|| panic!("ARCHITECTURE.md has no row for I{n}"));
        let tested_by = row.split('|').nth(TESTED_BY).unwrap_or_default();
        let named: Vec<_> = spoken_of(tested_by)
            .filter(|name| name.contains("::"))
            .collect();
        assert!(!named.is_empty(), "I{n} names no test");
        for name in named {
            let found = match name.strip_suffix('*') {
                Some(start) => tests.iter().any(|test| test.starts_with(start)),
                None => tests.contains(name),
            };
            assert!(found, "I{n} names {name}, and there is no such test");
        }
    }
}

#[test]
fn every_file_that_is_spoken_of_exists() {
    let text = architecture();
    let folders = [
        "jobs/",
        "worker/",
        "scheduler/",
        "control-api/",
        "ops/",
        "tests/",
        "migrations/",
    ];
    let missing: Vec<_> = spoken_of(&text)
        .filter(|name| folders.iter().any(|folder| name.starts_with(folder)))
        .filter(|name| !name.contains(['*', '{', ' ', '<']))
        .filter(|name| !PathBuf::from(ROOT).join(name).exists())
        .collect();
    assert!(missing.is_empty(), "ARCHITECTURE.md names {missing:?}");
}
