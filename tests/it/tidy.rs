//! The rules of the house that a machine can check, each with its reason.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

/// Files over 400 lines that may stay: none. A file too long is a room with too much in it.
const LONG_FILES: &[&str] = &[];
const LINES_MAX: usize = 400;
/// Longest function; longer ones tell more than one story.
const FUNCTION_LINES_MAX: usize = 70;

pub(crate) fn sources(extension: &str) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    for folder in [
        "jobs",
        "worker",
        "scheduler",
        "control-api",
        "ops",
        "tests",
        "migrations",
    ] {
        collect(&Path::new(ROOT).join(folder), extension, &mut found);
    }
    assert!(found.len() > 5, "no {extension} files found");
    found
}

fn collect(dir: &Path, extension: &str, found: &mut Vec<(PathBuf, String)>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            let hidden = path.file_name().is_some_and(|name| {
                name.to_string_lossy().starts_with('.')
                    || name == "node_modules"
                    || name == "target"
            });
            if !hidden {
                collect(&path, extension, found);
            }
        } else if path.extension().is_some_and(|e| e == extension) {
            let text = std::fs::read_to_string(&path).unwrap();
            found.push((path.strip_prefix(ROOT).unwrap().to_owned(), text));
        }
    }
}

fn report(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n{}", broken.join("\n"));
}

#[test]
fn every_file_says_what_it_is_and_is_of_a_size_to_read() {
    let mut broken = Vec::new();
    for (path, text) in sources("rs") {
        if !text.trim_start().starts_with("//!") {
            broken.push(format!("{}: begins without a module doc", path.display()));
        }
        let lines = text.lines().count();
        if lines > LINES_MAX && !LONG_FILES.contains(&path.to_string_lossy().as_ref()) {
            broken.push(format!("{}: {lines} lines", path.display()));
        }
    }
    report("files", &broken);
}

#[test]
fn functions_tell_one_story() {
    let mut broken = Vec::new();
    for (path, text) in sources("rs") {
        // A test may tell a long story.
        if path.starts_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        for (name, lines) in functions(&text) {
            if lines > FUNCTION_LINES_MAX {
                broken.push(format!("{}: fn {name} has {lines} lines", path.display()));
            }
        }
    }
    report("functions", &broken);
}

/// Names and lengths of functions, by indentation: rustfmt closes a function in its own column.
fn functions(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    let lines: Vec<&str> = text.lines().collect();
    for (start, line) in lines.iter().enumerate() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        let is_fn = [
            "fn ",
            "pub fn ",
            "pub(crate) fn ",
            "pub(super) fn ",
            "async fn ",
            "pub async fn ",
            "pub(crate) async fn ",
            "pub(super) async fn ",
        ]
        .iter()
        .any(|start| trimmed.starts_with(start));
        if !is_fn {
            continue;
        }
        let close = format!("{}}}", " ".repeat(indent));
        let length = lines[start..]
            .iter()
            .position(|line| *line == close)
            .map_or(1, |n| n + 1);
        let name = trimmed
            .split("fn ")
            .nth(1)
            .unwrap_or_default()
            .split(['(', '<'])
            .next()
            .unwrap_or_default();
        found.push((name.to_owned(), length));
    }
    found
}

#[test]
fn crates_know_only_what_is_below_them() {
    let allowed = [
        ("jobs/queue", &[][..]),
        ("jobs/families", &["fleet-queue"]),
        ("worker", &["fleet-queue"]),
        ("scheduler", &["fleet-queue"]),
        ("control-api", &["fleet-queue", "fleet-jobs"]),
        ("ops/runtime", &[]),
        ("ops/check", &["fleet-queue"]),
        (
            "ops/campaign",
            &["fleet-check", "fleet-queue", "fleet-runtime"],
        ),
    ];
    for (folder, may) in allowed {
        let manifest =
            std::fs::read_to_string(Path::new(ROOT).join(folder).join("Cargo.toml")).unwrap();
        let dependencies = manifest
            .split("[dependencies]")
            .nth(1)
            .unwrap_or_default()
            .split("\n[")
            .next()
            .unwrap_or_default();
        let ours: BTreeSet<_> = dependencies
            .lines()
            .filter(|line| line.starts_with("fleet-"))
            .map(|line| line.split(['.', ' ']).next().unwrap_or_default())
            .collect();
        let may: BTreeSet<_> = may.iter().copied().collect();
        assert!(
            ours.is_subset(&may),
            "{folder} may know {may:?}, and knows {ours:?}"
        );
        let names_apalis = dependencies.lines().any(|line| line.starts_with("apalis"));
        assert!(
            !names_apalis || folder == "worker",
            "{folder} names apalis; only worker may"
        );
    }
}

#[test]
fn statements_are_headed_by_their_function_and_ddl_stays_in_migrations() {
    let mut broken = Vec::new();
    for (path, text) in sources("rs") {
        if path.starts_with("tests") || path.ends_with("tests.rs") {
            continue;
        }
        for after in text.split("query").skip(1).filter_map(|rest| {
            rest.split_once("r#\"")
                .filter(|(head, _)| head.len() < 40 && head.contains('!'))
                .map(|(_, sql)| sql)
        }) {
            if !after.trim_start().starts_with("-- ") {
                broken.push(format!(
                    "{}: {}",
                    path.display(),
                    after.lines().next().unwrap_or_default()
                ));
            }
        }
        for ddl in ["CREATE TABLE", "ALTER TABLE", "CREATE INDEX", "DROP TABLE"] {
            if text.contains(ddl) && !path.starts_with("ops/runtime") {
                broken.push(format!(
                    "{}: {ddl} belongs into migrations/",
                    path.display()
                ));
            }
        }
    }
    report("SQL", &broken);
}

#[test]
fn nothing_is_left_for_later() {
    let words = [
        "todo!(",
        "unimplemented!(",
        concat!("FIX", "ME"),
        concat!("XX", "X"),
        concat!("#[ig", "nore"),
    ];
    let mut broken = Vec::new();
    for (path, text) in sources("rs").into_iter().chain(sources("sql")) {
        if path.ends_with("tidy.rs") {
            continue;
        }
        for (n, line) in text.lines().enumerate() {
            if words.iter().any(|word| line.contains(word)) {
                broken.push(format!("{}:{}: {}", path.display(), n + 1, line.trim()));
            }
        }
    }
    report("leftovers", &broken);
}

/// Words of a text that look like a metric of the fleet, by the parts that metrics' names begin with.
fn metric_words<'a>(text: &'a str, parts: &BTreeSet<String>) -> Vec<&'a str> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let part = |word: &str| word.splitn(3, '_').take(2).collect::<Vec<_>>().join("_");
    words
        .filter(|word| word.matches('_').count() >= 2 && parts.contains(&part(word)))
        .collect()
}

/// Documents, dashboards and alerts speak only of metrics that are there; and metrics are named for what they are.
#[test]
fn every_metric_that_is_spoken_of_exists_and_is_named_for_its_shape() {
    let metrics: Vec<_> = fleet_queue::telemetry::METRICS
        .iter()
        .chain(fleet_jobs::telemetry::METRICS)
        .collect();
    let names: BTreeSet<&str> = metrics.iter().map(|metric| metric.name).collect();
    assert_eq!(names.len(), metrics.len(), "each has a name of its own");
    for metric in &metrics {
        let fits = match metric.shape {
            "counter" => metric.name.ends_with("_total"),
            "histogram" => metric.name.ends_with("_seconds"),
            _ => !metric.name.ends_with("_total"),
        };
        assert!(fits, "{} is a {}", metric.name, metric.shape);
    }
    let part = |name: &str| name.splitn(3, '_').take(2).collect::<Vec<_>>().join("_");
    let parts = names.iter().map(|name| part(name)).collect();
    let mut texts = Vec::new();
    for extension in ["md", "json", "yaml", "yml"] {
        collect(&Path::new(ROOT).join("ops"), extension, &mut texts);
    }
    for page in ["ARCHITECTURE.md", "README.md"] {
        let text = std::fs::read_to_string(Path::new(ROOT).join(page)).unwrap();
        texts.push((page.into(), text));
    }
    let mut broken = Vec::new();
    for (path, text) in &texts {
        let unknown = metric_words(text, &parts).into_iter().filter(|word| {
            let base = ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|end| word.strip_suffix(end));
            !names.contains(word) && base.is_none_or(|base| !names.contains(base))
        });
        broken.extend(unknown.map(|word| format!("{}: {word}", path.display())));
    }
    report("metrics that nobody measures", &broken);
}
