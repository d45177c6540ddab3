//! Everything a command says goes through here: text for people or JSON for programs.
//!
//! Answers go to standard output, notes and progress to standard error; so a pipe gets the answer alone.
//! Colour only where a person looks, and never with NO_COLOR.

mod humane;
mod page;
mod paint;
mod progress;
mod table;

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

pub(crate) use humane::{ago, blank_or, bytes, count, span, until};
pub(crate) use page::Page;
pub(crate) use paint::{Hue, Paint, state_hue};
pub(crate) use progress::Progress;
pub(crate) use table::{Cell, Table};

/// The one writer of the command line.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    json: bool,
    paint: Paint,
}

impl Out {
    /// For a process that was started with or without `--json`.
    pub(crate) fn new(json: bool) -> Self {
        let paint = Paint::new(!json && io::stdout().is_terminal());
        Self { json, paint }
    }

    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// The answer of a command: the value itself for a program, the page for a person.
    pub(crate) fn answer<T: Serialize>(
        self,
        value: &T,
        draw: impl FnOnce(&mut Page),
    ) -> io::Result<()> {
        if self.json {
            return Self::json_line(value);
        }
        let mut page = Page::new(self.paint);
        draw(&mut page);
        print(&page.into_text())
    }

    /// One JSON document on one line, flushed, for whoever reads along.
    pub(crate) fn json_line<T: Serialize>(value: &T) -> io::Result<()> {
        print(&(serde_json::to_string(value)? + "\n"))
    }

    /// Raw text that is the answer in either mode, such as a completion script.
    pub(crate) fn raw(text: &str) -> io::Result<()> {
        print(text)
    }

    /// A remark for a person; a program gets none.
    pub(crate) fn note(self, text: impl Display) {
        if !self.json {
            say(&format!("{text}\n"));
        }
    }

    /// How far a long work is; drawn only where a person looks.
    pub(crate) fn progress(self) -> Progress {
        Progress::new(self.json)
    }

    /// Says on standard error what went wrong, and every cause under it.
    pub(crate) fn error(self, error: &anyhow::Error) {
        let causes = causes(error);
        if self.json {
            let said = serde_json::json!({ "error": error.to_string(), "causes": causes });
            return say(&format!("{said}\n"));
        }
        let paint = Paint::new(io::stderr().is_terminal());
        let mut text = format!("{} {error}\n", paint.bold(Hue::Red, "error:"));
        for cause in causes {
            text = text + "  because: " + &cause + "\n";
        }
        say(&text);
    }
}

/// The causes under an error, but for those that the one above told already, as some libraries' do.
fn causes(error: &anyhow::Error) -> Vec<String> {
    let mut told = vec![error.to_string()];
    for cause in error.chain().skip(1) {
        let text = cause.to_string();
        if told.last().is_none_or(|above| !above.ends_with(&text)) {
            told.push(text);
        }
    }
    told.split_off(1)
}

fn print(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}

/// Standard error may be closed; that must not stop the work.
fn say(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let error = anyhow::anyhow!("refused")
            .context("no connection: refused")
            .context("could not connect");
        assert_eq!(causes(&error), ["no connection: refused"]);
    }
}
