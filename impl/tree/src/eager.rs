//! The check that a serving server may make before it takes a write.

use zk_proto::{ErrorCode, Perms, Request};

use crate::path;
use crate::read::Reader;
use crate::tree::Tree;

impl Tree {
    /// Why this tree, perhaps an old one, refuses a write. `None` lets it pass to the checks that count.
    // spec: CP-ACL-31. A missing node or a bad path is not this check's business.
    pub fn refuses(&self, request: &Request<'_>, reader: &Reader<'_>) -> Option<ErrorCode> {
        #[expect(
            clippy::wildcard_enum_match_arm,
            reason = "the five that Apache looks at are named"
        )]
        let (path, perms, acl) = match request {
            Request::Create(create) | Request::Create2(create) => {
                let parent = path::split(&create.path)?.0;
                (parent, Perms::CREATE, Some(create.acl.as_ref()))
            }
            Request::Delete(delete) => (path::split(&delete.path)?.0, Perms::DELETE, None),
            Request::SetData(set) => (set.path.as_ref(), Perms::WRITE, None),
            Request::SetAcl { path, acl, .. } => (path.as_ref(), Perms::ADMIN, Some(acl.as_ref())),
            _ => return None,
        };
        if let Some(acl) = acl
            && let Err(error) = reader.schemes.normalise(acl, reader.ids)
        {
            return Some(error);
        }
        let node = self.lookup(path)?;
        let permitted = self.permits(self.acl_of(node), perms, reader.schemes, reader.ids);
        (!permitted).then_some(ErrorCode::NoAuth)
    }
}
