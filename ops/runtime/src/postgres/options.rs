//! How the embedded server is set up: what may be chosen, and the settings file that follows.

use std::fmt::Write;
use std::time::Duration;

/// What a caller may choose about the embedded server.
#[derive(Debug, Clone)]
pub struct Options {
    pub max_connections: u32,
    pub shared_buffers_mb: u32,
    /// How long a start may take; recovery after a crash under load needs the most.
    pub start_timeout: Duration,
    durable: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            max_connections: 200,
            shared_buffers_mb: 256,
            start_timeout: Duration::from_mins(5),
            durable: true,
        }
    }
}

impl Options {
    /// For data that nobody will miss: a power cut loses or corrupts it.
    ///
    /// The only way to a server without fsync. A killed *process* still loses nothing, because what
    /// it wrote is in the kernel's hands: tests with kill -9 are as true as on a durable server.
    pub fn for_tests() -> Self {
        Self {
            max_connections: 400,
            shared_buffers_mb: 128,
            start_timeout: Duration::from_mins(1),
            durable: false,
        }
    }

    pub(super) fn is_durable(&self) -> bool {
        self.durable
    }

    /// The text of `fleet.conf`, which `postgresql.conf` includes. It is written anew at each start;
    /// an operator's `ALTER SYSTEM` is read after it and wins.
    pub(super) fn settings(&self, port: u16) -> String {
        let (connections, buffers) = (self.max_connections, self.shared_buffers_mb);
        let mut text = format!(
            "# Written by fleet at each start; change settings with ALTER SYSTEM instead.\n\
             port = {port}\n\
             max_connections = {connections}\n\
             shared_buffers = '{buffers}MB'\n"
        );
        for (name, value) in COMMON.iter().chain(self.durability()) {
            writeln!(text, "{name} = '{value}'").expect("a String takes all that is written");
        }
        text
    }

    fn durability(&self) -> &'static [(&'static str, &'static str)] {
        if self.durable { DURABLE } else { THROW_AWAY }
    }
}

/// The port in a settings file that `settings` wrote.
pub(super) fn port_in(settings: &str) -> Option<u16> {
    settings
        .lines()
        .find_map(|line| line.strip_prefix("port = "))?
        .parse()
        .ok()
}

/// Settings that hold for every embedded server.
const COMMON: &[(&str, &str)] = &[
    // Loopback only. No socket: its path is limited to about 100 bytes, a data folder's isn't.
    ("listen_addresses", "127.0.0.1"),
    ("unix_socket_directories", ""),
    ("password_encryption", "scram-sha-256"),
    ("timezone", "UTC"),
    ("log_timezone", "UTC"),
    ("work_mem", "16MB"),
    ("maintenance_work_mem", "128MB"),
    ("random_page_cost", "1.1"),
    // The queue's statements are short; compiling them costs more than it gives.
    ("jit", "off"),
    // A queue makes dead rows all the time: look often, so that each look is cheap.
    ("autovacuum_naptime", "10s"),
    // One file a weekday, overwritten a week later: the log stays bounded.
    ("logging_collector", "on"),
    ("log_filename", "postgresql-%a.log"),
    ("log_file_mode", "0600"),
    ("log_truncate_on_rotation", "on"),
    ("log_rotation_age", "1d"),
    ("log_rotation_size", "0"),
    ("log_line_prefix", "%m [%p] %q%a "),
    ("log_checkpoints", "off"),
];

const DURABLE: &[(&str, &str)] = &[
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("wal_level", "replica"),
    ("max_wal_size", "2GB"),
    ("min_wal_size", "256MB"),
    ("checkpoint_timeout", "15min"),
    ("checkpoint_completion_target", "0.9"),
];

const THROW_AWAY: &[(&str, &str)] = &[
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "minimal"),
    ("max_wal_senders", "0"),
    ("max_wal_size", "1GB"),
    ("checkpoint_timeout", "1h"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_options_for_tests_give_up_durability() {
        let durable = Options::default().settings(5433);
        for line in [
            "fsync = 'on'",
            "synchronous_commit = 'on'",
            "full_page_writes = 'on'",
        ] {
            assert!(
                durable.lines().any(|l| l == line),
                "{line} is missing in:\n{durable}"
            );
        }
        assert!(
            Options::for_tests()
                .settings(5433)
                .contains("fsync = 'off'")
        );
    }

    #[test]
    fn the_port_is_read_back_from_the_settings() {
        assert_eq!(port_in(&Options::default().settings(61_234)), Some(61_234));
        assert_eq!(port_in("max_connections = 5\n"), None);
    }
}
