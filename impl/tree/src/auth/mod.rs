//! Who a connection is, and what an ACL lets it do.

mod digest;
mod ip;

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;

use zk_proto::acl::Acls;
use zk_proto::{Acl, ErrorCode, Id, Perms};

pub use digest::{Algorithm, Digest};

use crate::mutant::Mutant;
use crate::store::acls::AclRef;

const WORLD: &str = "world";
const ANYONE: &str = "anyone";
/// Stands in an ACL for the ids of whoever sets it.
const AUTH: &str = "auth";
/// Passes every check.
const SUPER: &str = "super";
const DIGEST: &str = "digest";
const IP: &str = "ip";

/// A kind of identity. The hook for SASL, X.509 and whatever else a server knows of.
// spec: CP-ACL-23, CP-ACL-24, CP-ACL-25
pub trait Scheme: Send + Sync {
    /// As it stands in ACLs.
    fn name(&self) -> &str;
    /// May this id stand in an ACL?
    fn is_valid(&self, id: &str) -> bool;
    /// Does the caller's id have what is granted to `granted`?
    fn matches(&self, caller: &str, granted: &str) -> bool;
    /// Do its ids stand in for `auth` in an ACL?
    // spec: CP-ACL-10
    fn is_authenticating(&self) -> bool;
    /// The name that whoAmI shows.
    // spec: CP-OP-33
    fn user<'i>(&self, id: &'i str) -> &'i str {
        id
    }
    /// The ids that the credential of an auth packet proves; `None` refuses it.
    // spec: CP-AUTH-07
    fn authenticate(&self, credential: Option<&[u8]>) -> Option<Vec<Id>>;
}

/// The schemes that a server knows.
pub struct Schemes {
    known: Vec<Box<dyn Scheme>>,
}

impl fmt::Debug for Schemes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.known.iter().map(|scheme| scheme.name()))
            .finish()
    }
}

impl Default for Schemes {
    /// `ip` and `digest` as ZooKeeper has them by default.
    fn default() -> Self {
        Self::new(Some(Digest::default()))
    }
}

impl Schemes {
    /// `ip`, and `digest` unless it is off.
    // spec: CP-AUTH-06
    pub fn new(digest: Option<Digest>) -> Self {
        let mut known: Vec<Box<dyn Scheme>> = alloc::vec![Box::new(ip::Ip)];
        if let Some(digest) = digest {
            known.push(Box::new(digest));
        }
        Self { known }
    }

    /// Adds a scheme; the first of a name counts.
    #[must_use]
    pub fn with(mut self, scheme: Box<dyn Scheme>) -> Self {
        self.known.push(scheme);
        self
    }

    /// The ids that an auth packet adds to its connection.
    ///
    /// # Errors
    /// AuthFailed: the scheme is unknown or refuses. The connection must be closed after the answer.
    // spec: CP-OP-36, CP-AUTH-03, CP-AUTH-04, CP-AUTH-07
    pub fn authenticate(
        &self,
        scheme: &str,
        credential: Option<&[u8]>,
    ) -> Result<Vec<Id>, ErrorCode> {
        self.find(scheme)
            .and_then(|scheme| scheme.authenticate(credential))
            .ok_or(ErrorCode::AuthFailed)
    }

    /// The name that whoAmI shows for an id.
    // spec: CP-OP-33
    pub fn user<'i>(&self, id: &'i Id) -> &'i str {
        self.find(&id.scheme)
            .map_or("", |scheme| scheme.user(&id.id))
    }

    /// Does the ACL grant any of `perms` to one of `ids`?
    // spec: CP-ACL-15, P-AUTH
    pub fn permit(&self, acl: &AclRef, perms: Perms, ids: &[Id]) -> bool {
        let list = match acl {
            AclRef::Open if perms.intersects(Perms::ALL) => return true,
            AclRef::List(list) if list.is_empty() => return true,
            AclRef::List(list) => &list[..],
            AclRef::Open | AclRef::Unknown => &[],
        };
        ids.iter()
            .any(|id| id.scheme == SUPER && !Mutant::SuperIsNobody.acts())
            || list
                .iter()
                .any(|grant| grant.perms.intersects(perms) && self.grants(&grant.id, ids))
    }

    /// The ACL that a create or setACL stores.
    ///
    /// # Errors
    /// InvalidAcl.
    // spec: CP-ACL-10, CP-ACL-11, CP-ACL-12
    pub fn normalise(&self, asked: Option<&Acls<'_>>, ids: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
        if Mutant::EmptyAclIsOpen.acts() && asked.is_none_or(Acls::is_empty) {
            return Ok(alloc::vec![Acl::open()]);
        }
        let Some(asked) = asked.filter(|asked| !asked.is_empty()) else {
            return Err(ErrorCode::InvalidAcl);
        };
        let (asked, mut seen) = (asked.to_vec(), BTreeSet::new());
        let mut stored = Vec::new();
        for grant in &asked {
            // spec: FT-CON-18. A frame may hold fifty thousand of them: none is compared with all others.
            let perms = if Mutant::GrantsOfOneIdMerged.acts() {
                0
            } else {
                grant.perms.0
            };
            if !seen.insert((perms, &grant.id)) && !Mutant::GrantsStoredTwice.acts() {
                continue;
            }
            if grant.id.scheme == AUTH && Mutant::AuthNotExpanded.acts() {
                stored.push(grant.clone());
            } else if grant.id.scheme == AUTH {
                self.expand(grant.perms, ids, &mut stored)?;
            } else if self.may_stand(&grant.id) {
                stored.push(grant.clone());
            } else if Mutant::BadGrantsLeftOut.acts() {
                continue;
            } else {
                return Err(ErrorCode::InvalidAcl);
            }
        }
        if Mutant::PermissionBitsCut.acts() {
            for grant in &mut stored {
                grant.perms.0 &= Perms::ALL.0;
            }
        }
        Ok(stored)
    }

    fn expand(&self, perms: Perms, ids: &[Id], stored: &mut Vec<Acl>) -> Result<(), ErrorCode> {
        let before = stored.len();
        let authenticated = |id: &&Id| self.find(&id.scheme).is_some_and(Scheme::is_authenticating);
        stored.extend(ids.iter().filter(authenticated).map(|id| Acl {
            perms,
            id: id.clone(),
        }));
        if stored.len() == before {
            Err(ErrorCode::InvalidAcl)
        } else {
            Ok(())
        }
    }

    // spec: CP-ACL-20
    fn may_stand(&self, id: &Id) -> bool {
        if Mutant::AnyIdStands.acts() {
            true
        } else if id.scheme == WORLD {
            id.id == ANYONE || Mutant::AnyWorldId.acts()
        } else {
            self.find(&id.scheme)
                .is_some_and(|scheme| scheme.is_valid(&id.id))
        }
    }

    fn grants(&self, granted: &Id, ids: &[Id]) -> bool {
        if granted.scheme == WORLD {
            return granted.id == ANYONE;
        }
        let Some(scheme) = self.find(&granted.scheme) else {
            return false;
        };
        ids.iter()
            .any(|id| id.scheme == granted.scheme && scheme.matches(&id.id, &granted.id))
    }

    fn find(&self, name: &str) -> Option<&dyn Scheme> {
        self.known
            .iter()
            .find(|scheme| scheme.name() == name)
            .map(Box::as_ref)
    }
}

/// An id of the `digest` scheme as those without ADMIN see it.
// spec: CP-OP-26
pub(crate) fn masked(id: &Id) -> Option<String> {
    let (user, _) = (id.scheme == DIGEST)
        .then(|| id.id.split_once(':'))
        .flatten()?;
    Some(user.to_string() + ":x")
}
