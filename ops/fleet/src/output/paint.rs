//! Colours, by the eight that every terminal has.

use fleet_queue::JobState;

/// A colour with a meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hue {
    Plain,
    Dim,
    Red,
    Green,
    Yellow,
    Blue,
    Cyan,
}

impl Hue {
    fn code(self) -> &'static str {
        match self {
            Self::Plain => "0",
            Self::Dim => "2",
            Self::Red => "31",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Blue => "34",
            Self::Cyan => "36",
        }
    }
}

/// Paints, or leaves text as it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// On where the stream is a terminal, unless NO_COLOR is set (no-color.org) or the terminal is dumb.
    pub(crate) fn new(terminal: bool) -> Self {
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let dumb = set("TERM").is_some_and(|term| term == "dumb");
        Self {
            on: terminal && !dumb && set("NO_COLOR").is_none(),
        }
    }

    #[cfg(test)]
    pub(crate) fn off() -> Self {
        Self { on: false }
    }

    pub(crate) fn hue(self, hue: Hue, text: &str) -> String {
        self.wrap(hue.code(), hue == Hue::Plain, text)
    }

    pub(crate) fn bold(self, hue: Hue, text: &str) -> String {
        self.wrap(&format!("1;{}", hue.code()), false, text)
    }

    fn wrap(self, code: &str, plain: bool, text: &str) -> String {
        if self.on && !plain && !text.is_empty() {
            format!("\x1b[{code}m{text}\x1b[0m")
        } else {
            text.to_owned()
        }
    }
}

/// What a state looks like: red wants somebody's look, dim needs none.
pub(crate) fn state_hue(state: JobState) -> Hue {
    match state {
        JobState::Blocked => Hue::Yellow,
        JobState::Scheduled => Hue::Blue,
        JobState::Available => Hue::Cyan,
        JobState::Running => Hue::Green,
        JobState::Completed => Hue::Plain,
        JobState::Cancelled => Hue::Dim,
        JobState::Discarded => Hue::Red,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_where_told() {
        assert_eq!(Paint { on: true }.hue(Hue::Red, "x"), "\x1b[31mx\x1b[0m");
        assert_eq!(Paint { on: true }.hue(Hue::Plain, "x"), "x");
        assert_eq!(Paint::off().bold(Hue::Red, "x"), "x");
        assert!(!Paint::new(false).on, "a pipe gets no colour");
    }
}
