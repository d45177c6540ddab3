//! `fleet completions SHELL`: the shell's completion script.

use std::process::ExitCode;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::output::Out;

/// Print a shell's completion script
#[derive(Args, Debug)]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    pub(crate) fn run(&self) -> anyhow::Result<ExitCode> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "fleet", &mut script);
        Out::raw(&String::from_utf8(script)?)?;
        Ok(ExitCode::SUCCESS)
    }
}
