//! How far a long work is. Drawn on standard error where a person looks; silent elsewhere.

use std::borrow::Cow;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

const BAR: &str = "{prefix} [{bar:30}] {pos}/{len} {msg}";
const BYTES: &str = "{prefix} [{bar:30}] {bytes}/{total_bytes} {bytes_per_sec} {msg}";

/// A place to draw bars; `Copy`-free on purpose: one work at a time.
#[derive(Debug)]
pub(crate) struct Progress {
    hidden: bool,
}

impl Progress {
    pub(super) fn new(hidden: bool) -> Self {
        Self { hidden }
    }

    /// Counts things.
    pub(crate) fn bar(&self, prefix: impl Into<Cow<'static, str>>, total: u64) -> ProgressBar {
        self.shown(ProgressBar::new(total), BAR, prefix)
    }

    /// Counts bytes.
    pub(crate) fn bytes(&self, prefix: impl Into<Cow<'static, str>>, total: u64) -> ProgressBar {
        self.shown(ProgressBar::new(total), BYTES, prefix)
    }

    /// Turns while something of unknown length goes on.
    pub(crate) fn spinner(&self, message: impl Into<Cow<'static, str>>) -> ProgressBar {
        let spinner = ProgressBar::new_spinner().with_message(message);
        if self.hidden {
            spinner.set_draw_target(ProgressDrawTarget::hidden());
        } else {
            spinner.enable_steady_tick(Duration::from_millis(100));
        }
        spinner
    }

    fn shown(
        &self,
        bar: ProgressBar,
        template: &str,
        prefix: impl Into<Cow<'static, str>>,
    ) -> ProgressBar {
        if self.hidden {
            bar.set_draw_target(ProgressDrawTarget::hidden());
        }
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        bar.with_style(style.progress_chars("=> "))
            .with_prefix(prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_templates_are_well_formed() {
        let progress = Progress::new(true);
        progress.bar("jobs", 3).inc(1);
        progress.bytes("file", 3).inc(1);
    }
}
