//! `deny.toml` and what it says about the packages that this workspace builds with.
//!
//! The file is cargo-deny's. Keys that this module does not enforce are refused, so that none stands there unenforced.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use spdx::{Expression, ParseMode};

use crate::tree::top;

/// `deny.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    pub licenses: Licences,
    pub bans: Bans,
    pub sources: Sources,
}

/// Which licences packages may have.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Licences {
    /// Of the format; 2 says that what is not allowed is denied.
    pub version: u32,
    /// SPDX identifiers.
    pub allow: Vec<String>,
}

/// Which packages may be there.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Bans {
    /// What two versions of one package are.
    pub multiple_versions: Verdict,
    /// Versions that do not count as a second one.
    pub skip: Vec<Skip>,
    pub deny: Vec<Ban>,
}

/// `deny` alone: a test knows no warnings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Deny,
}

/// A version that is there beside another.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    /// `name@version`
    #[serde(rename = "crate")]
    pub package: String,
    pub reason: String,
}

/// A package that nobody may use, but for those named.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ban {
    #[serde(rename = "crate")]
    pub package: String,
    /// Packages that may depend on it directly.
    #[serde(default)]
    pub wrappers: Vec<String>,
    pub reason: String,
}

/// Where packages may come from: the default registry and this repository.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Sources {
    pub unknown_registry: Verdict,
    pub unknown_git: Verdict,
}

/// A package that is built with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
    /// An SPDX expression; packages without one have none.
    pub license: Option<String>,
    /// `None` is a folder of this repository.
    pub source: Option<String>,
    /// Names of the packages that it depends on directly, for tests and builds too.
    pub uses: BTreeSet<String>,
}

/// The repository's policy.
pub fn policy() -> Result<Policy> {
    let path = top()?.join("deny.toml");
    let text = std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    toml::from_str(&text).with_context(|| path.display().to_string())
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Described>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Described {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    dependencies: Vec<String>,
}

/// The packages that are built on this machine, as `cargo metadata` says; it fetches those that are not here yet.
pub fn packages() -> Result<Vec<Package>> {
    let rustc = run("rustc", &["-vV"])?;
    let host = rustc.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.context("rustc names no host")?;
    let arguments = ["metadata", "--format-version", "1", "--locked"];
    let text = run(
        env!("CARGO"),
        &[&arguments[..], &["--filter-platform", host]].concat(),
    )?;
    let metadata: Metadata = serde_json::from_str(&text)?;
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|package| (package.id.clone(), package.name.clone()))
        .collect();
    let name = |id: &String| names.get(id).cloned();
    let mut uses: BTreeMap<_, _> = metadata
        .resolve
        .nodes
        .into_iter()
        .map(|node| (node.id, node.dependencies.iter().filter_map(name).collect()))
        .collect();
    Ok(metadata
        .packages
        .into_iter()
        .map(|package| Package {
            uses: uses.remove(&package.id).unwrap_or_default(),
            name: package.name,
            version: package.version,
            license: package.license,
            source: package.source,
        })
        .collect())
}

/// Every package of `Cargo.lock`, those of other platforms included. Licences and uses are not in that file.
pub fn locked() -> Result<Vec<Package>> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Entry>,
    }
    #[derive(Deserialize)]
    struct Entry {
        name: String,
        version: String,
        source: Option<String>,
    }
    let lock: Lock = toml::from_str(&std::fs::read_to_string(top()?.join("Cargo.lock"))?)?;
    let package = |entry: Entry| Package {
        name: entry.name,
        version: entry.version,
        license: None,
        source: entry.source,
        uses: BTreeSet::new(),
    };
    Ok(lock.package.into_iter().map(package).collect())
}

fn run(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program)
        .args(arguments)
        .current_dir(top()?)
        .output()
        .with_context(|| program.to_owned())?;
    ensure!(
        output.status.success(),
        "{program} {arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(String::from_utf8(output.stdout)?)
}

impl Policy {
    /// What it objects to in the licences of packages from elsewhere.
    pub fn licences(&self, packages: &[Package]) -> Result<Vec<String>> {
        let mut wrong = Vec::new();
        for package in packages {
            let at = format!("{} {}", package.name, package.version);
            match &package.license {
                None => wrong.push(format!("{at} names no licence")),
                Some(terms) => {
                    if !allowed(terms, &self.licenses.allow).with_context(|| at.clone())? {
                        wrong.push(format!("{at}: {terms}"));
                    }
                }
            }
        }
        Ok(wrong)
    }

    /// Packages that must not be there, and those that use what only others may.
    pub fn banned(&self, packages: &[Package]) -> Vec<String> {
        let mut wrong = Vec::new();
        for ban in &self.bans.deny {
            let present = packages.iter().any(|package| package.name == ban.package);
            if present && ban.wrappers.is_empty() {
                wrong.push(format!("{}: {}", ban.package, ban.reason));
            }
            let users = packages.iter().filter(|p| p.uses.contains(&ban.package));
            let strangers = users.filter(|user| !ban.wrappers.contains(&user.name));
            wrong.extend(
                strangers.map(|user| {
                    format!("{} must not use {}: {}", user.name, ban.package, ban.reason)
                }),
            );
        }
        wrong
    }

    /// Second versions that nobody excused, and excuses that nobody needs.
    pub fn duplicates(&self, locked: &[Package]) -> Vec<String> {
        let mut versions: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
        for package in locked {
            let all = versions.entry(&package.name).or_default();
            all.insert(format!("{}@{}", package.name, package.version));
        }
        let excused = |version: &String| self.bans.skip.iter().any(|skip| skip.package == *version);
        let mut wrong = Vec::new();
        for all in versions.values() {
            let counted: Vec<_> = all.iter().filter(|version| !excused(version)).collect();
            if counted.len() > 1 {
                wrong.push(format!("{counted:?}"));
            }
        }
        for skip in &self.bans.skip {
            if !versions
                .values()
                .any(|all| all.len() > 1 && all.contains(&skip.package))
            {
                wrong.push(format!("{} is no second version any more", skip.package));
            }
        }
        wrong
    }

    /// Packages from a registry that is not the default one, or from a repository.
    pub fn foreign(&self, locked: &[Package]) -> Vec<String> {
        let known =
            |source: &str| source.starts_with("registry+") && source.ends_with("/crates.io-index");
        let foreign = locked.iter().filter_map(|package| {
            let source = package.source.as_deref().filter(|s| !known(s))?;
            Some(format!("{} comes from {source}", package.name))
        });
        foreign.collect()
    }
}

/// True if an SPDX expression can be met with the licences of `allow`. An exception (`WITH`) must be allowed together
/// with its licence; `/` is the old way to write `OR`.
pub fn allowed(expression: &str, allow: &[String]) -> Result<bool> {
    let expression = Expression::parse_mode(expression, ParseMode::LAX)?;
    Ok(expression.evaluate(|term| allow.contains(&term.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str, uses: &[&str]) -> Package {
        Package {
            name: name.into(),
            version: version.into(),
            license: Some("MIT".into()),
            source: None,
            uses: uses.iter().map(|&name| name.into()).collect(),
        }
    }

    fn strict() -> Policy {
        let text = r#"
            licenses = { version = 2, allow = ["MIT"] }
            sources = { unknown-registry = "deny", unknown-git = "deny" }
            [bans]
            multiple-versions = "deny"
            skip = [{ crate = "old@1.0.0", reason = "" }]
            deny = [{ crate = "runtime", wrappers = ["edge"], reason = "" }, { crate = "bad", reason = "" }]
        "#;
        toml::from_str(text).unwrap()
    }

    #[test]
    fn expressions() -> Result<()> {
        let allow = ["MIT".to_owned(), "Zlib".to_owned()];
        for yes in [
            "MIT",
            "ISC OR MIT",
            "ISC/MIT",
            "(ISC OR MIT) AND Zlib",
            "ISC AND BSL-1.0 OR MIT",
        ] {
            assert!(allowed(yes, &allow)?, "{yes}");
        }
        for no in [
            "ISC",
            "MIT AND ISC",
            "MIT WITH LLVM-exception",
            "(ISC OR BSL-1.0) AND MIT",
        ] {
            assert!(!allowed(no, &allow)?, "{no}");
        }
        for bad in ["", "(MIT", "MIT Zlib", "MIT AND", "Nobodys-1.0"] {
            assert!(allowed(bad, &allow).is_err(), "{bad}");
        }
        Ok(())
    }

    #[test]
    fn what_is_objected_to() -> Result<()> {
        let policy = strict();
        let mut other = package("other", "1.0.0", &[]);
        other.license = Some("GPL-3.0".into());
        assert_eq!(policy.licences(&[other])?, ["other 1.0.0: GPL-3.0"]);
        let users = [
            package("edge", "1.0.0", &["runtime"]),
            package("core", "1.0.0", &["runtime"]),
            package("runtime", "1.0.0", &[]),
            package("bad", "1.0.0", &[]),
        ];
        let wrong = policy.banned(&users).join(";");
        assert!(
            wrong.starts_with("core must not use runtime") && wrong.contains("bad"),
            "{wrong}"
        );
        assert!(!wrong.contains("edge"), "{wrong}");
        let excused = [package("old", "1.0.0", &[]), package("old", "2.0.0", &[])];
        assert!(policy.duplicates(&excused).is_empty());
        assert_eq!(policy.duplicates(&excused[1..]).len(), 1, "a stale excuse");
        let three = [&excused[..], &[package("old", "3.0.0", &[])]].concat();
        assert_eq!(policy.duplicates(&three).len(), 1);
        let mut git = package("git", "1.0.0", &[]);
        git.source = Some("git+somewhere".into());
        assert_eq!(policy.foreign(&[git]).len(), 1);
        Ok(())
    }
}
