//! Identities that depend on where the suite connects from.

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::Run;
use crate::wire::value::Value;

pub(super) fn own_address_matches_ip_acl(run: &mut Run<'_>) -> Result<(), Stop> {
    let ip = own_ip(run)?;
    if ip.contains(':') {
        return Err(Stop::Precondition("needs an IPv4 connection".into()));
    }
    run.script(&format!(
        "create ~/a acl=[1@ip:{ip},16@world:anyone]\ngetData ~/a -> ok\nsetData ~/a x -> NoAuth\n\
         create ~/b acl=[1@ip:{ip}/8,16@world:anyone]\ngetData ~/b -> ok"
    ))
}

pub(super) fn super_user_in_who_am_i(run: &mut Run<'_>) -> Result<(), Stop> {
    let ip = own_ip(run)?;
    run.script(&format!(
        "auth digest super:test\nwhoAmI -> ok ids={{ip:{ip},digest:super,super:}}"
    ))
}

pub(super) fn who_am_i_lists_identities(run: &mut Run<'_>) -> Result<(), Stop> {
    let ip = own_ip(run)?;
    run.script(&format!(
        "whoAmI -> ok ids=[ip:{ip}]\nauth digest user:password\nauth digest other:secret\n\
         whoAmI -> ok ids={{ip:{ip},digest:user,digest:other}}"
    ))
}

/// The address that the server sees, from the first whoAmI.
fn own_ip(run: &mut Run<'_>) -> Result<String, Stop> {
    run.script("whoAmI -> ok ids=?ids")?;
    let first = match run.vars.values.get("ids") {
        Some(Value::List(ids)) => ids.first().cloned(),
        _ => None,
    };
    match first {
        Some(Value::Text(text)) if text.starts_with("ip:") => {
            Ok(text.trim_start_matches("ip:").to_owned())
        }
        other => {
            ensure(false, || {
                format!("the first identity is not an address: {other:?}")
            })?;
            Ok(String::new())
        }
    }
}
