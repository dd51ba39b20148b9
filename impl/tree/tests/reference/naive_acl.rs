//! Who may do what, once more and from the rules.

use std::net::Ipv4Addr;

use zk_proto::{Acl, Id, Perms};

// spec: CP-ACL-15
pub(crate) fn allows(acl: &[Acl], perms: Perms, ids: &[Id]) -> bool {
    acl.is_empty()
        || ids.iter().any(|id| id.scheme == "super")
        || acl
            .iter()
            .any(|grant| grant.perms.0 & perms.0 != 0 && matches(&grant.id, ids))
}

fn matches(granted: &Id, ids: &[Id]) -> bool {
    match granted.scheme.as_str() {
        "world" => granted.id == "anyone",
        "digest" => ids.contains(granted),
        "ip" => ids
            .iter()
            .any(|id| id.scheme == "ip" && in_net(&id.id, &granted.id)),
        _ => false,
    }
}

// spec: CP-ACL-22
fn in_net(address: &str, net: &str) -> bool {
    let (start, bits) = net.split_once('/').unwrap_or((net, "32"));
    let number = |text: &str| u64::from(u32::from(text.parse::<Ipv4Addr>().unwrap()));
    let ignored = 32 - bits.parse::<u32>().unwrap();
    number(address) >> ignored == number(start) >> ignored
}

// spec: CP-ACL-10, CP-ACL-20, CP-ACL-21, CP-ACL-22
pub(crate) fn fix_acl(acl: Option<Vec<Acl>>, ids: &[Id]) -> Result<Vec<Acl>, i32> {
    let acl = acl.filter(|acl| !acl.is_empty()).ok_or(-114)?;
    let mut fixed = Vec::new();
    for (index, grant) in acl.iter().enumerate() {
        if acl[..index].contains(grant) {
            continue;
        }
        let mut expanded = match (grant.id.scheme.as_str(), grant.id.id.as_str()) {
            ("auth", _) => ids
                .iter()
                .filter(|id| id.scheme == "digest")
                .map(|id| Acl {
                    perms: grant.perms,
                    id: id.clone(),
                })
                .collect(),
            ("world", "anyone") => vec![grant.clone()],
            ("digest", id) if id.split(':').count() == 2 && !id.ends_with(':') => {
                vec![grant.clone()]
            }
            ("ip", id) if id.split('/').next().unwrap().parse::<Ipv4Addr>().is_ok() => {
                vec![grant.clone()]
            }
            _ => vec![],
        };
        if expanded.is_empty() {
            return Err(-114);
        }
        fixed.append(&mut expanded);
    }
    Ok(fixed)
}

// spec: CP-OP-26
pub(crate) fn mask(acl: &[Acl]) -> Vec<Acl> {
    let hide = |grant: &Acl| match grant.id.id.find(':') {
        Some(colon) if grant.id.scheme == "digest" => Acl::new(
            grant.perms,
            "digest",
            format!("{}:x", &grant.id.id[..colon]),
        ),
        Some(_) | None => grant.clone(),
    };
    acl.iter().map(hide).collect()
}

// spec: CP-OP-33
pub(crate) fn user(id: &Id) -> String {
    match id.scheme.as_str() {
        "digest" => id.id.split(':').next().unwrap().to_string(),
        "ip" => id.id.clone(),
        _ => String::new(),
    }
}
