//! Containers and znodes with a time to live that nobody uses any more.

use alloc::string::String;
use alloc::vec::Vec;

use crate::mutant::Mutant;
use crate::owner::Kind;
use crate::store::node::Node;
use crate::tree::Tree;

impl Tree {
    /// Up to `limit` paths that a leader's timer may propose to delete at wall time `now_ms`. `max_never_used_ms` = 0 keeps
    /// containers that never had a child.
    // spec: CP-EPH-20, CP-EPH-21, CP-EPH-22
    pub fn unused(&self, now_ms: i64, max_never_used_ms: i64, limit: usize) -> Vec<String> {
        let is_unused = |kind: Kind, node: &Node| {
            let age = now_ms.saturating_sub(node.mtime);
            node.children().is_empty()
                && match kind {
                    Kind::Container if Mutant::ContainersStay.acts() => false,
                    Kind::Container if Mutant::NewContainersGo.acts() => true,
                    Kind::Ttl(_) if Mutant::TtlZnodesStay.acts() => false,
                    Kind::Container => {
                        node.cversion > 0 || (max_never_used_ms != 0 && age > max_never_used_ms)
                    }
                    Kind::Ttl(ttl_ms) if Mutant::TtlFromCreation.acts() => {
                        now_ms.saturating_sub(node.ctime) > ttl_ms
                    }
                    Kind::Ttl(ttl_ms) => age > ttl_ms,
                    Kind::Persistent | Kind::Ephemeral(_) => false,
                }
        };
        let of_owner = |(value, _)| {
            let kind = Kind::of(value, &self.settings);
            self.owners
                .nodes(value)
                .filter(move |id| is_unused(kind, self.slab.node(*id)))
        };
        let timed = self.owners.iter().filter(|(value, _)| {
            matches!(
                Kind::of(*value, &self.settings),
                Kind::Container | Kind::Ttl(_)
            )
        });
        timed
            .flat_map(of_owner)
            .take(limit)
            .map(|id| self.path_of(id))
            .collect()
    }
}
