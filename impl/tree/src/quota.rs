//! Quotas: limits that clients write below `/zookeeper/quota`, and the accounts that the tree keeps beside them.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::format;
use alloc::string::String;

use zk_proto::ErrorCode;

use crate::mutant::Mutant;
use crate::path;
use crate::store::node::NodeId;
use crate::tree::Tree;

const LIMITS: &str = "zookeeper_limits";
const STATS: &str = "zookeeper_stats";
const COUNT: &str = "count";
const BYTES: &str = "bytes";
const COUNT_HARD: &str = "countHardLimit";
const BYTES_HARD: &str = "byteHardLimit";
const UNLIMITED: i64 = -1;

/// Paths that have a quota.
#[derive(Debug, Default)]
pub(crate) struct Quotas {
    subjects: BTreeSet<String>,
}

impl Quotas {
    /// The deepest registered path that is `path` or above it.
    // spec: CP-QUO-05
    fn deepest<'p>(&self, path: &'p str) -> Option<&'p str> {
        if self.subjects.is_empty() {
            return None;
        }
        let mut prefix = path;
        while !prefix.is_empty() {
            if self.subjects.contains(prefix) {
                return Some(prefix);
            }
            prefix = path::split(prefix)?.0;
        }
        None
    }
}

/// Numbers by name, as limits and accounts spell them.
// spec: CP-QUO-02
#[derive(Debug, Default, PartialEq, Eq)]
struct Numbers {
    by_name: BTreeMap<String, i64>,
}

impl Numbers {
    /// What cannot be read counts as not given: the text is a client's.
    fn parse(data: Option<&[u8]>) -> Self {
        let text = String::from_utf8_lossy(data.unwrap_or_default());
        let pairs = text.split([',', ';']).filter_map(|pair| {
            // The canonical form has a stray `=` behind the bytes.
            let (name, value) = pair.split_once('=')?;
            let value = value.trim_end_matches('=');
            let number = if value.is_empty() {
                UNLIMITED
            } else {
                value.parse().ok()?
            };
            Some((name.into(), number))
        });
        Self {
            by_name: pairs.collect(),
        }
    }

    fn get(&self, name: &str) -> i64 {
        self.by_name.get(name).copied().unwrap_or(UNLIMITED)
    }

    fn set(&mut self, name: &str, value: i64) {
        self.by_name.insert(name.into(), value);
    }

    // spec: CP-QUO-03
    fn text(&self) -> String {
        let mut text = format!("{COUNT}={},{BYTES}={}", self.get(COUNT), self.get(BYTES));
        let others = self
            .by_name
            .iter()
            .filter(|(name, _)| !matches!(name.as_str(), COUNT | BYTES));
        for (index, (name, value)) in others.enumerate() {
            text.push_str(if index == 0 { "=;" } else { ";" });
            text.push_str(&format!("{name}={value}"));
        }
        text
    }
}

/// The path that a node below `/zookeeper/quota` is about, and the node's name.
// spec: CP-QUO-01, CP-QUO-09. Apache's server throws on a quota of the root; here it is just a node.
fn subject(path: &str) -> Option<(&str, &str)> {
    let (subject, name) = path.strip_prefix(path::QUOTA)?.rsplit_once('/')?;
    (subject.starts_with('/')).then_some((subject, name))
}

/// After a create.
// spec: CP-QUO-04, CP-QUO-05
pub(crate) fn created(tree: &mut Tree, path: &str, data_len: usize) {
    match subject(path) {
        Some((subject, LIMITS)) => drop(tree.quotas.subjects.insert(subject.into())),
        Some((subject, STATS)) => recount(tree, subject),
        Some(_) | None => {}
    }
    account(tree, path, data_len as i64, 1);
}

/// After a delete.
pub(crate) fn deleted(tree: &mut Tree, path: &str, data_len: usize) {
    if let Some((subject, LIMITS)) = subject(path) {
        tree.quotas.subjects.remove(subject);
    }
    account(tree, path, -(data_len as i64), -1);
}

/// After new data.
pub(crate) fn resized(tree: &mut Tree, path: &str, bytes: i64) {
    account(tree, path, bytes, 0);
}

/// Finds every quota and counts again, after a snapshot is loaded.
// spec: DF-BODY-09
pub(crate) fn rebuild(tree: &mut Tree) {
    let mut subjects = BTreeSet::new();
    let mut open: alloc::vec::Vec<NodeId> = tree.lookup(path::QUOTA).into_iter().collect();
    while let Some(id) = open.pop() {
        let node = tree.slab.node(id);
        open.extend(node.children());
        if node.name() == LIMITS.as_bytes()
            && let Some((subject, _)) = subject(&tree.path_of(id))
        {
            subjects.insert(String::from(subject));
        }
    }
    for subject in &subjects {
        recount(tree, subject);
    }
    tree.quotas = Quotas { subjects };
}

/// Refuses what goes over a hard limit. It looks at what is applied, so txns in flight may overshoot.
// spec: CP-QUO-06, CP-QUO-07, CP-QUO-08
pub(crate) fn check(tree: &Tree, path: &str, bytes: i64, count: i64) -> Result<(), ErrorCode> {
    if !tree.settings.enforce_quota || Mutant::HardQuotaIgnored.acts() {
        return Ok(());
    }
    let Some(prefix) = tree.quotas.deepest(path) else {
        return Ok(());
    };
    let read = |name| {
        tree.data(&format!("{}{prefix}/{name}", path::QUOTA))
            .map(Numbers::parse)
    };
    let (Some(limits), Some(current)) = (read(LIMITS), read(STATS)) else {
        return Ok(());
    };
    for (change, soft, hard) in [(count, COUNT, COUNT_HARD), (bytes, BYTES, BYTES_HARD)] {
        let limit = limits.get(if Mutant::SoftQuotaRefuses.acts() {
            soft
        } else {
            hard
        });
        if change != 0 && limit > UNLIMITED && current.get(soft).saturating_add(change) > limit {
            return Err(ErrorCode::QuotaExceeded);
        }
    }
    Ok(())
}

/// Books a change on the deepest quota above it. Only the account's data change.
// spec: CP-QUO-05, CP-TREE-26
fn account(tree: &mut Tree, path: &str, bytes: i64, count: i64) {
    if Mutant::AccountStands.acts() {
        return;
    }
    let Some(prefix) = tree.quotas.deepest(path) else {
        return;
    };
    write_stats(tree, prefix, |numbers| {
        numbers.set(COUNT, numbers.get(COUNT).saturating_add(count));
        numbers.set(BYTES, numbers.get(BYTES).saturating_add(bytes));
    });
}

/// Writes the present size of a subtree into its account.
fn recount(tree: &mut Tree, subject: &str) {
    let (mut count, mut bytes) = (0, 0);
    let mut open: alloc::vec::Vec<NodeId> = tree.lookup(subject).into_iter().collect();
    while let Some(id) = open.pop() {
        let node = tree.slab.node(id);
        open.extend(node.children());
        count += 1;
        bytes += node.data_len() as i64;
    }
    write_stats(tree, subject, |numbers| {
        *numbers = Numbers::default();
        numbers.set(COUNT, count);
        numbers.set(BYTES, bytes);
    });
}

fn write_stats(tree: &mut Tree, subject: &str, update: impl FnOnce(&mut Numbers)) {
    let path = format!("{}{subject}/{STATS}", path::QUOTA);
    let Some(id) = tree.lookup(&path) else { return };
    let mut numbers = Numbers::parse(tree.slab.node(id).data());
    update(&mut numbers);
    tree.change(id, &path, |node| {
        node.set_data(Some(numbers.text().as_bytes()))
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: CP-QUO-02, CP-QUO-03
    #[test]
    fn text_form() {
        for (given, canonical) in [
            ("count=5,bytes=10", "count=5,bytes=10"),
            ("bytes=;count=3", "count=3,bytes=-1"),
            (
                "countHardLimit=7;byteHardLimit=9;count=1",
                "count=1,bytes=-1=;byteHardLimit=9;countHardLimit=7",
            ),
            (
                "count=1,bytes=2=;byteHardLimit=9",
                "count=1,bytes=2=;byteHardLimit=9",
            ),
            ("", "count=-1,bytes=-1"),
            ("nonsense", "count=-1,bytes=-1"),
        ] {
            assert_eq!(
                Numbers::parse(Some(given.as_bytes())).text(),
                canonical,
                "{given:?}"
            );
        }
    }

    // spec: CP-QUO-01, CP-QUO-09
    #[test]
    fn subjects() {
        assert_eq!(
            subject("/zookeeper/quota/a/b/zookeeper_limits"),
            Some(("/a/b", LIMITS))
        );
        assert_eq!(subject("/zookeeper/quota/zookeeper_limits"), None);
        assert_eq!(subject("/zookeeper/quotas/x/zookeeper_limits"), None);
        assert_eq!(subject("/zookeeper/quota"), None);
    }
}
