//! Auth and SASL frames: they change who a connection is, answer at once, and neither
//! touch the session nor wait for other requests (CP-OP-04, CP-OP-11).

use super::lane::LaneState;
use crate::shared::Shared;
use std::sync::Arc;
use zk_proto::{ErrorCode, Id, OpCode, Put, Request, RequestHeader};
use zk_tree::Mutant;

/// Identities that one connection may collect.
// spec: FT-CON-17
const MAX_IDS: usize = 16;

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    Closed,
}

// spec: CP-OP-36, CP-OP-06, CP-AUTH-02, CP-AUTH-07
pub(super) fn auth(
    shared: &Shared,
    state: &mut LaneState,
    header: &RequestHeader,
    body: &[u8],
) -> Verdict {
    // spec: CP-FRM-10. The one body whose damage closes the connection, unanswered.
    let Ok(Some(Request::Auth(request))) = Request::decode(OpCode::Auth, body) else {
        if Mutant::DamagedAuthAnswered.acts() {
            state.reply(header.xid, 0, ErrorCode::MarshallingError, |_| {});
            return Verdict::Accepted;
        }
        state.end = super::lane::End::Now;
        return Verdict::Closed;
    };
    if request.scheme == "ensemble"
        && let Some(names) = &shared.settings.ensemble_auth_names
    {
        return ensemble(names, state, header.xid, request.auth.unwrap_or_default());
    }
    let proved = match shared.schemes.authenticate(&request.scheme, request.auth) {
        Err(_) if Mutant::UnknownSchemeAccepted.acts() => Ok(Vec::new()),
        proved => proved,
    };
    match proved.ok().and_then(|new| merged(&state.ids, new)) {
        Some(ids) => {
            state.ids = ids;
            let xid = if Mutant::AuthHasOneXid.acts() {
                zk_proto::xid::AUTH
            } else {
                header.xid
            };
            let zxid = if Mutant::AuthAnswersZxid.acts() {
                shared.applied()
            } else {
                0
            };
            state.reply(xid, zxid, ErrorCode::Ok, |_| {});
            Verdict::Accepted
        }
        None => {
            shared.totals.auth_failures.add(1);
            state.reply(header.xid, 0, ErrorCode::AuthFailed, |_| {});
            if Mutant::AuthFailureStaysOpen.acts() {
                return Verdict::Accepted;
            }
            state.close_after_output();
            Verdict::Closed
        }
    }
}

/// A client that names another ensemble has been sent to the wrong place, and is cut off unanswered.
// spec: CP-AUTH-08
fn ensemble(names: &[String], state: &mut LaneState, xid: i32, asked: &[u8]) -> Verdict {
    let known = names.is_empty() || names.iter().any(|name| name.as_bytes() == asked);
    if !asked.is_empty() && !known {
        state.end = super::lane::End::Now;
        return Verdict::Closed;
    }
    state.reply(xid, 0, ErrorCode::Ok, |_| {});
    Verdict::Accepted
}

/// The old identities and the new ones, without duplicates; None past the bound.
// spec: CP-AUTH-16. Watches are not looked at again; events from now on are filtered by what is here.
fn merged(old: &Arc<[Id]>, new: Vec<Id>) -> Option<Arc<[Id]>> {
    let mut ids = old.to_vec();
    if Mutant::AuthReplaces.acts() {
        ids.clear();
    }
    for id in new {
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    (ids.len() <= MAX_IDS).then(|| ids.into())
}

// spec: CP-OP-37. Without SASL configured ZooKeeper answers with success and no token.
pub(super) fn sasl(state: &mut LaneState, header: &RequestHeader, body: &[u8]) -> Verdict {
    // spec: CP-FRM-10
    if !matches!(Request::decode(OpCode::Sasl, body), Ok(Some(_))) || Mutant::SaslRefused.acts() {
        state.end = super::lane::End::Now;
        return Verdict::Closed;
    }
    state.reply(header.xid, 0, ErrorCode::Ok, |out| out.put_buffer(None));
    Verdict::Accepted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_add_up_to_a_bound() {
        // spec: CP-AUTH-02, FT-CON-17
        let mut ids: Arc<[Id]> = Arc::new([Id::new("ip", "127.0.0.1")]);
        for i in 0..15 {
            let new = Id::new("digest", format!("u{i}:h"));
            ids = merged(&ids, vec![new.clone(), new]).unwrap();
        }
        assert_eq!(ids.len(), 16);
        assert!(merged(&ids, vec![Id::new("digest", "one:more")]).is_none());
        assert!(merged(&ids, vec![Id::new("ip", "127.0.0.1")]).is_some());
    }
}
