//! Session ids that are this run's alone.

use crate::session::id::SessionIds;
use zk_storage::{Result, Store};
use zk_tree::Tree;

/// Before a server starts: the ids that it may give out, once the disk says that they are its own. `tree` is the one
/// that was restored.
///
/// # Errors
/// The mark cannot be read or moved: the server must not start, since ids might come again.
// spec: CP-CON-12, INV-14
pub fn session_ids(store: &Store, server_id: u8, wall_ms: i64, tree: &Tree) -> Result<SessionIds> {
    let mut ids = SessionIds::new(server_id, wall_ms, store.sessions_mark()?);
    for (id, _) in tree.sessions() {
        ids.above(id);
    }
    store.write_sessions_mark(ids.mark())?;
    Ok(ids)
}
