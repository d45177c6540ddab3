//! The `fleet` binary as the tests start it: cargo builds binaries of a test's own package only.

fn main() -> std::process::ExitCode {
    fleet::main()
}
