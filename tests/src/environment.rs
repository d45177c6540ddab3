//! What whoever runs the tests asks for: larger cases, other seeds.

use std::str::FromStr;

/// The number in an environment variable; `None` where it is not set.
///
/// # Panics
/// Where it is something else, saying what is needed.
#[must_use]
pub fn asked<T: FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok()?;
    let number = text.parse().ok();
    Some(number.unwrap_or_else(|| panic!("{name} is \"{text}\", a whole number is needed")))
}
