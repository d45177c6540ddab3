//! A PgBouncer between a test and its database: in transaction mode where its version carries prepared statements, else in session mode.
//!
//! The program is looked for on PATH and where Debian puts it; else Debian's packages are unpacked into `target/`, which needs apt
//! and a network but no root. Without any of these the tests that need it fail, and say how to get it.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;
use tokio::sync::OnceCell;

use crate::wait::eventually;

/// The program, and what of its libraries the machine does not have.
const PACKAGES: [&str; 3] = ["pgbouncer", "libc-ares2", "libevent-2.1-7"];
const UNPACKED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/pgbouncer");

/// A running pooler; killed when dropped.
pub struct PgBouncer {
    child: Child,
    /// The database's address through it.
    pub url: String,
    _folder: TempDir,
}

impl PgBouncer {
    /// Puts one before a database, in the closest mode that works with prepared statements.
    ///
    /// # Panics
    /// When there is no PgBouncer to be had, or it does not start.
    pub async fn before(database_url: &str) -> Self {
        if carries_statements().await {
            Self::in_transaction_mode(database_url).await
        } else {
            Self::start(database_url, "pool_mode = session\ndefault_pool_size = 200").await
        }
    }

    /// Puts one before a database in transaction mode, with so few server connections that statements of one client meet several.
    ///
    /// # Panics
    /// As [`Self::before`].
    pub async fn in_transaction_mode(database_url: &str) -> Self {
        let carries = if carries_statements().await {
            "max_prepared_statements = 200\n"
        } else {
            ""
        };
        Self::start(
            database_url,
            &format!("{carries}pool_mode = transaction\ndefault_pool_size = 6"),
        )
        .await
    }

    async fn start(database_url: &str, mode: &str) -> Self {
        let program = program().await;
        let server: PgConnectOptions = database_url.parse().expect("a database URL");
        let folder = tempfile::tempdir().expect("a folder");
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("it is ours");
        let port = TcpListener::bind(("127.0.0.1", 0))
            .and_then(|free| free.local_addr())
            .expect("a free port")
            .port();
        let settings = folder.path().join("pgbouncer.ini");
        fs::write(&settings, settings_for(database_url, &server, port, mode)).expect("it is ours");
        let child = Command::new(&program)
            .arg(&settings)
            .env("LD_LIBRARY_PATH", libraries())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pgbouncer starts");
        let name = server.get_database().expect("a test's database has a name");
        let pooler = Self {
            child,
            url: format!("postgres://fleet@127.0.0.1:{port}/{name}?sslmode=disable"),
            _folder: folder,
        };
        eventually("pgbouncer listens", || async {
            tokio::net::TcpStream::connect(("127.0.0.1", port))
                .await
                .ok()
        })
        .await;
        pooler
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every client may come in; the server's password is the pooler's to know.
fn settings_for(url: &str, server: &PgConnectOptions, port: u16, mode: &str) -> String {
    let password = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('@'));
    let password = password
        .and_then(|(login, _)| login.split_once(':'))
        .map_or("", |(_, word)| word);
    let account = if is_root() { "user = nobody\n" } else { "" };
    format!(
        "[databases]\n* = host={} port={} user={} password={password}\n\
         [pgbouncer]\n{mode}\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
         max_client_conn = 300\nignore_startup_parameters = extra_float_digits\n{account}",
        server.get_host(),
        server.get_port(),
        server.get_username(),
    )
}

/// PgBouncer refuses to run as root, and gives itself up to another account where it is told one.
fn is_root() -> bool {
    let asked = Command::new("id").arg("-u").output();
    asked.is_ok_and(|output| output.stdout.starts_with(b"0\n"))
}

/// True from 1.21 on.
pub async fn carries_statements() -> bool {
    let mut asked = Command::new(program().await);
    let asked = asked
        .arg("--version")
        .env("LD_LIBRARY_PATH", libraries())
        .output();
    let said = asked.expect("pgbouncer says its version").stdout;
    let said = String::from_utf8_lossy(&said).into_owned();
    let version = said
        .split_whitespace()
        .find_map(|word| word.strip_prefix("1."));
    let minor = version.and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
    minor.expect("PgBouncer is at 1.x") >= 21
}

async fn program() -> PathBuf {
    static FOUND: OnceCell<PathBuf> = OnceCell::const_new();
    FOUND
        .get_or_init(|| async { found().unwrap_or_else(unpack) })
        .await
        .clone()
}

fn found() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    folders.extend([
        PathBuf::from("/usr/sbin"),
        Path::new(UNPACKED).join("usr/sbin"),
    ]);
    folders
        .into_iter()
        .map(|folder| folder.join("pgbouncer"))
        .find(|program| program.is_file())
}

fn unpack() -> PathBuf {
    fs::create_dir_all(UNPACKED).expect("target/ is ours");
    let how = format!(
        "cd '{UNPACKED}' && apt-get download {} && for package in *.deb; do dpkg -x \"$package\" .; done",
        PACKAGES.join(" ")
    );
    let done = Command::new("sh")
        .arg("-c")
        .arg(how)
        .output()
        .expect("a shell");
    found().unwrap_or_else(|| {
        panic!(
            "there is no pgbouncer: install the package (apt-get install pgbouncer), or let apt download it: {}",
            String::from_utf8_lossy(&done.stderr)
        )
    })
}

/// Where the unpacked libraries are; nothing where the machine has its own.
fn libraries() -> String {
    let folders = fs::read_dir(Path::new(UNPACKED).join("usr/lib"));
    let folders = folders.into_iter().flatten().flatten();
    folders
        .map(|folder| folder.path().display().to_string())
        .collect::<Vec<_>>()
        .join(":")
}
