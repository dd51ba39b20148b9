//! Schemes that a server brings along: SASL, X.509, or one of an operator's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use zk_proto::acl::Acls;
use zk_proto::{Acl, ErrorCode, Id, Perms};
use zk_tree::auth::Scheme;
use zk_tree::{AclRef, Schemes};

/// Names with a realm; `anybody` stands for each of them.
struct Realm;

impl Scheme for Realm {
    fn name(&self) -> &str {
        "sasl"
    }
    fn is_valid(&self, id: &str) -> bool {
        id.contains('@') || id == "anybody"
    }
    fn matches(&self, caller: &str, granted: &str) -> bool {
        granted == "anybody" || caller == granted
    }
    fn is_authenticating(&self) -> bool {
        true
    }
    fn authenticate(&self, _credential: Option<&[u8]>) -> Option<Vec<Id>> {
        None
    }
}

fn normalise(schemes: &Schemes, acl: &[Acl], ids: &[Id]) -> Result<Vec<Acl>, ErrorCode> {
    schemes.normalise(Some(&acl.iter().collect::<Acls<'_>>()), ids)
}

// spec: CP-ACL-10, CP-ACL-15, CP-ACL-23, CP-ACL-24, CP-ACL-25, CP-OP-33, CP-AUTH-07
#[test]
fn a_scheme_of_ones_own() {
    let schemes = Schemes::default().with(Box::new(Realm));
    let ids = [Id::new("ip", "10.0.0.1"), Id::new("sasl", "a@r")];
    let auth = [Acl::new(Perms::ALL, "auth", "ignored")];
    let expanded = normalise(&schemes, &auth, &ids);
    assert_eq!(expanded, Ok(vec![Acl::new(Perms::ALL, "sasl", "a@r")]));
    assert_eq!(
        normalise(&schemes, &[Acl::new(Perms::ALL, "sasl", "a")], &ids),
        Err(ErrorCode::InvalidAcl)
    );
    assert_eq!(
        normalise(
            &Schemes::default(),
            &[Acl::new(Perms::ALL, "sasl", "a@r")],
            &ids
        ),
        Err(ErrorCode::InvalidAcl)
    );
    let list = |id: &str| AclRef::List(Arc::from([Acl::new(Perms::READ, "sasl", id)]));
    assert!(schemes.permit(&list("a@r"), Perms::READ, &ids));
    assert!(schemes.permit(&list("anybody"), Perms::READ, &ids));
    assert!(!schemes.permit(&list("b@r"), Perms::READ, &ids));
    assert!(!schemes.permit(&list("anybody"), Perms::READ, &ids[..1]));
    assert!(!schemes.permit(&list("anybody"), Perms::WRITE, &ids));
    // A stored entry whose scheme the server does not know matches nobody.
    assert!(!Schemes::default().permit(&list("a@r"), Perms::READ, &ids));
    assert_eq!(schemes.user(ids.last().unwrap()), "a@r");
    assert_eq!(Schemes::default().user(ids.last().unwrap()), "");
    assert_eq!(
        schemes.authenticate("sasl", Some(b"x")),
        Err(ErrorCode::AuthFailed)
    );
}

// spec: CP-AUTH-06
#[test]
fn without_digest() {
    let schemes = Schemes::new(None);
    let user = Id::new("digest", "u:h");
    assert_eq!(
        schemes.authenticate("digest", Some(b"u:p")),
        Err(ErrorCode::AuthFailed)
    );
    let acl = [Acl {
        perms: Perms::ALL,
        id: user.clone(),
    }];
    assert_eq!(normalise(&schemes, &acl, &[]), Err(ErrorCode::InvalidAcl));
    assert!(!schemes.permit(&AclRef::List(acl.into()), Perms::READ, &[user]));
}
