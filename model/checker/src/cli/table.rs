//! `table`: stored runs as the table of a page.

use std::path::Path;

use anyhow::Context;

use super::Verdict;
use crate::results::{self, Record};
use crate::runs;

pub(super) fn table(folder: &Path, page: Option<&Path>) -> Verdict {
    let table = results::table(&stored(folder)?);
    let Some(page) = page else {
        print!("{table}");
        return Ok(true);
    };
    let text = std::fs::read_to_string(page)?;
    let text = results::placed(&text, &table)
        .with_context(|| format!("{}: no markers for the table", page.display()))?;
    std::fs::write(page, text)?;
    Ok(true)
}

/// The records of a folder in the order of the named configurations.
fn stored(folder: &Path) -> anyhow::Result<Vec<Record>> {
    let mut records = Vec::new();
    for named in runs::named() {
        let path = folder.join(format!("{}.json", named.name));
        if path.exists() {
            records.push(serde_json::from_str(&std::fs::read_to_string(path)?)?);
        }
    }
    Ok(records)
}
