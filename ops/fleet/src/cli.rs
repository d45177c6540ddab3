//! The command line itself: from arguments to an exit code.
//!
//! Exit codes: 0 done, 1 refused or failed, 2 wrong usage (clap's own).

use std::io::ErrorKind;
use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;
use crate::output::Out;

/// A durable job-queue worker fleet on PostgreSQL: one binary, four roles, one command to see it all.
///
/// `fleet up` runs everything on this machine. In production the roles run apart, as many of each
/// as needed: `fleet worker`, `fleet scheduler`, `fleet api`, after `fleet migrate`.
#[derive(Debug, Parser)]
#[command(
    name = "fleet",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    /// Answer in JSON, for programs.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

/// Runs the process's command.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let out = Out::new(cli.json);
    fleet_runtime::crypto::install();
    match run(cli.command, out) {
        Ok(code) => code,
        Err(error) if reader_left(&error) => ExitCode::SUCCESS,
        Err(error) => {
            out.error(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, out: Out) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let answer = runtime.block_on(command.run(out));
    // A blocking read of standard input must not keep a finished command from ending.
    runtime.shutdown_background();
    answer
}

/// `fleet jobs ls | head` is no failure.
fn reader_left(error: &anyhow::Error) -> bool {
    error
        .downcast_ref::<std::io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_well_defined() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_says_what_it_is() {
        fn check(command: &clap::Command) {
            assert!(
                command.get_about().is_some(),
                "`{}` has no help",
                command.get_name()
            );
            for argument in command.get_arguments() {
                let named = format!("`{}` of `{}`", argument.get_id(), command.get_name());
                assert!(argument.get_help().is_some(), "{named} has no help");
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }
}
