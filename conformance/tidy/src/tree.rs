//! The repository as files: where it is, what it holds, which crate depends on which.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A file of the repository: its path relative to the top, and its text.
#[derive(Clone, Debug)]
pub struct Source {
    pub path: String,
    pub text: String,
}

/// The top of the repository, two folders above this crate.
pub fn top() -> Result<PathBuf> {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .map(Path::to_path_buf)
        .context("the crate stands two folders below the top")
}

/// All text files whose name ends in one of `extensions`, build output and hidden folders left out, sorted by path.
pub fn sources(extensions: &[&str]) -> Result<Vec<Source>> {
    let top = top()?;
    let mut found = Vec::new();
    let mut folders = vec![top.clone()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                let skipped = name == "target" || name == "fuzz-target" || name == "node_modules";
                if !skipped && (!name.starts_with('.') || name == ".ci") {
                    folders.push(path);
                }
            } else if extensions.iter().any(|e| name.ends_with(e)) {
                let text =
                    std::fs::read_to_string(&path).with_context(|| path.display().to_string())?;
                let path = path.strip_prefix(&top)?.to_string_lossy().into_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(found)
}

/// Folders that hold tracked work, relative to the top: the ones that owe a README.
pub fn folders_with_manifests() -> Result<Vec<String>> {
    Ok(sources(&["Cargo.toml"])?
        .into_iter()
        .filter_map(|s| s.path.strip_suffix("/Cargo.toml").map(str::to_owned))
        .collect())
}

/// Direct dependencies of each workspace crate, by package name; dev-dependencies are left out.
pub fn dependencies() -> Result<BTreeMap<String, Vec<String>>> {
    let mut all = BTreeMap::new();
    for manifest in sources(&["Cargo.toml"])? {
        let parsed: toml::Table = manifest
            .text
            .parse()
            .with_context(|| manifest.path.clone())?;
        let Some(name) = parsed
            .get("package")
            .and_then(|p| p.get("name"))
            .and_then(toml::Value::as_str)
        else {
            continue;
        };
        let dependencies = parsed
            .get("dependencies")
            .and_then(toml::Value::as_table)
            .map(|t| t.keys().cloned().collect())
            .unwrap_or_default();
        all.insert(name.to_owned(), dependencies);
    }
    Ok(all)
}
