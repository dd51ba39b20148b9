//! The `digest` scheme: a user's name with the hash of name and password.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest as _, Sha1};
use sha2::{Sha256, Sha512};
use zk_proto::Id;

use super::{DIGEST, SUPER, Scheme};
use crate::mutant::Mutant;

/// How passwords are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
#[allow(missing_docs)] // standard names
pub enum Algorithm {
    #[default]
    Sha1,
    Sha256,
    Sha512,
}

/// The scheme with its settings. `Default` is ZooKeeper's.
#[derive(Clone, Debug, Default)]
pub struct Digest {
    /// How passwords are hashed; all servers and all stored ACLs must agree.
    pub algorithm: Algorithm,
    /// The id (`user:hash`) that is also a super user.
    pub super_digest: Option<String>,
}

impl Digest {
    /// The id that a `user:password` text proves.
    // spec: CP-AUTH-03
    pub fn id(&self, credential: &str) -> String {
        let user = credential
            .split_once(':')
            .map_or(credential, |(user, _)| user);
        user.to_string() + ":" + &STANDARD.encode(self.hash(credential.as_bytes()))
    }

    fn hash(&self, text: &[u8]) -> Vec<u8> {
        match self.algorithm {
            Algorithm::Sha1 => Sha1::digest(text).to_vec(),
            Algorithm::Sha256 => Sha256::digest(text).to_vec(),
            Algorithm::Sha512 => Sha512::digest(text).to_vec(),
        }
    }
}

impl Scheme for Digest {
    fn name(&self) -> &str {
        DIGEST
    }

    /// Two parts when split at colons, where empty parts at the end do not count.
    // spec: CP-ACL-21
    fn is_valid(&self, id: &str) -> bool {
        let id = id.trim_end_matches(':');
        if Mutant::HashesLookedAt.acts() && !id.ends_with('=') {
            return false;
        }
        if Mutant::UsersHaveNames.acts() && id.starts_with(':') {
            return false;
        }
        !id.is_empty() && id.split(':').count() == 2
    }

    fn matches(&self, caller: &str, granted: &str) -> bool {
        caller == granted
    }

    fn is_authenticating(&self) -> bool {
        true
    }

    fn user<'i>(&self, id: &'i str) -> &'i str {
        id.split_once(':').map_or(id, |(user, _)| user)
    }

    // spec: CP-AUTH-03, CP-AUTH-04, CP-AUTH-05. A wrong password is no failure but another identity.
    fn authenticate(&self, credential: Option<&[u8]>) -> Option<Vec<Id>> {
        let id = self.id(&String::from_utf8_lossy(credential?));
        let is_super = self.super_digest.as_ref() == Some(&id);
        let mut ids = alloc::vec![Id::new(DIGEST, id)];
        if is_super {
            ids.push(Id::new(SUPER, ""));
        }
        Some(ids)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // spec: CP-AUTH-03
    #[test]
    fn ids_are_those_of_apache() {
        let digest = Digest::default();
        for (credential, id) in [
            ("user:password", "user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY="),
            ("super:test", "super:D/InIHSb7yEEbrWz8b9l71RjZJU="),
            ("nocolon", "nocolon:Ra+cHr2ZoHvBjtNArFGNGlVie4g="),
        ] {
            assert_eq!(digest.id(credential), id);
        }
    }

    // spec: CP-AUTH-04, CP-AUTH-05
    #[test]
    fn super_user() {
        let super_digest = Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_string());
        let digest = Digest {
            super_digest,
            ..Digest::default()
        };
        let ids = digest.authenticate(Some(b"super:test")).unwrap();
        assert_eq!(ids.last(), Some(&Id::new("super", "")));
        assert_eq!(digest.authenticate(Some(b"super:other")).unwrap().len(), 1);
        assert_eq!(digest.authenticate(None), None);
    }

    // spec: CP-ACL-21
    #[test]
    fn shapes() {
        let digest = Digest::default();
        for (id, valid) in [
            ("u:h", true),
            (":h", true),
            ("u", false),
            ("u:", false),
            ("a:b:c", false),
            ("", false),
            (":", false),
        ] {
            assert_eq!(digest.is_valid(id), valid, "{id:?}");
        }
    }
}
