//! The `fleet` executable; everything is in the library, so that a test's twin of it stays as small.

use std::process::ExitCode;

fn main() -> ExitCode {
    fleet::main()
}
