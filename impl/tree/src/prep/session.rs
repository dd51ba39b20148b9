//! Txns that no client's body describes: the end of a session, and the end of a znode that nobody uses.

use zk_proto::{ErrorCode, Txn};

use super::{Checked, Context, Prep, deletable_parent};
use crate::mutant::Mutant;
use crate::owner::Kind;
use crate::path;

impl Prep {
    // spec: CP-EPH-04, CP-EPH-05, CP-EPH-06, CP-SES-11, CP-SES-14, CP-SES-15, QP-TXN-06, QP-TXN-11
    pub(super) fn close_session(&mut self, context: &Context<'_>) -> Txn {
        let mut paths = self
            .pending
            .ephemerals(context.tree, context.ask.header.session_id);
        if Mutant::EphemeralsOutliveSession.acts() {
            paths.clear();
        }
        for path in &paths {
            if let Some((parent_path, _)) = path::split(path)
                && let Some(parent) = self.pending.find(context.tree, parent_path)
            {
                self.remove(context, path, parent_path, parent);
            }
        }
        Txn::CloseSession {
            paths: context.tree.settings.close_session_txn.then_some(paths),
        }
    }

    /// What is no longer a candidate stays: since it was found, a client may have put something else in its place.
    // spec: CP-EPH-23, CP-EPH-24, CP-EPH-22. Apache's server also removes a persistent znode that took the place.
    pub(super) fn delete_container(&mut self, context: &Context<'_>, path: &str) -> Checked<Txn> {
        let parent_path = deletable_parent(path)?;
        let node = self.node(context, path)?;
        if node.children > 0 {
            return Err(ErrorCode::NotEmpty);
        }
        match Kind::of(node.stat.ephemeral_owner, &context.tree.settings) {
            Kind::Container => {}
            Kind::Ttl(ttl_ms)
                if context.ask.header.time.saturating_sub(node.stat.mtime) > ttl_ms
                    || Mutant::TtlFromCreation.acts() => {}
            Kind::Ttl(_) | Kind::Ephemeral(_) | Kind::Persistent => {
                return Err(ErrorCode::BadVersion);
            }
        }
        let parent = self.node(context, parent_path)?;
        self.remove(context, path, parent_path, parent);
        Ok(Txn::DeleteContainer { path: path.into() })
    }
}
