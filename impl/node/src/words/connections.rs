//! Lines about single connections: `cons`, and the list in `stat`.

use super::Asked;
use super::text::Peer;
use crate::stats::{ConnSessionView, ConnView, LastOp};
use zk_tree::Mutant;

/// The full line of every connection, then an empty one.
// spec: CP-FLW-13
pub(super) fn cons(asked: &Asked<'_>) -> String {
    let mut lines = String::new();
    for connection in asked.facts.connections() {
        let mut session = connection.session.as_ref().map(session).unwrap_or_default();
        if Mutant::ConsWithoutSessions.acts() {
            session.clear();
        }
        lines.push_str(&format!(" {}{session})\n", counts(&connection)));
    }
    lines + "\n"
}

/// The short line of a connection, as `stat` lists it.
// spec: CP-FLW-12
pub(super) fn brief(connection: &ConnView) -> String {
    format!(" {})\n", counts(connection))
}

/// A line up to its closing parenthesis.
fn counts(connection: &ConnView) -> String {
    let interest = u8::from(connection.reading) | (u8::from(connection.output_pending) << 2);
    format!(
        "{}[{interest:x}](queued={},recved={},sent={}",
        Peer(connection.peer),
        connection.queued,
        connection.received,
        connection.sent,
    )
}

fn session(session: &ConnSessionView) -> String {
    let latency = &session.latency;
    let average = latency
        .sum_ms
        .checked_div(latency.count)
        .unwrap_or_default();
    format!(
        ",sid=0x{:x},{},est={},to={}{},minlat={},avglat={average},maxlat={}",
        session.id,
        last_name(session.last_op.as_ref()),
        session.established_at_ms,
        session.timeout_ms,
        last_reply(session.last_op.as_ref()),
        latency.min_ms.unwrap_or(0),
        latency.max_ms,
    )
}

fn last_name(last: Option<&LastOp>) -> String {
    match last {
        None => "lop=null".to_owned(),
        Some(last) if last.fresh => format!("lop={}", token(last.op)),
        Some(_) => "lop=NA".to_owned(),
    }
}

/// Ids and times of the newest reply. Reset counters show as -1, and a negative xid not at all.
fn last_reply(last: Option<&LastOp>) -> String {
    match last {
        None => ",lcxid=0x0,lzxid=0x0,lresp=0,llat=0".to_owned(),
        Some(last) if last.fresh => {
            let xid = match last.xid {
                0.. => format!(",lcxid=0x{:x}", last.xid),
                _ => String::new(),
            };
            let (zxid, at, latency) = (last.zxid, last.answered_at_ms, last.latency_ms);
            format!("{xid},lzxid=0x{zxid:x},lresp={at},llat={latency}")
        }
        Some(_) => format!(",lzxid=0x{:x},lresp=0,llat=0", -1i64),
    }
}

/// Apache's name for an op in `lop`.
fn token(op: i32) -> &'static str {
    use zk_proto::OpCode;
    match OpCode::from_code(op) {
        Some(OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl) => {
            "CREA"
        }
        Some(OpCode::Delete | OpCode::DeleteContainer) => "DELE",
        Some(OpCode::Exists) => "EXIS",
        Some(OpCode::GetData) => "GETD",
        Some(OpCode::SetData) => "SETD",
        Some(OpCode::GetAcl) => "GETA",
        Some(OpCode::SetAcl) => "SETA",
        Some(OpCode::GetChildren | OpCode::GetChildren2) => "GETC",
        Some(OpCode::GetAllChildrenNumber) => "GETACN",
        Some(OpCode::Sync) => "SYNC",
        Some(OpCode::Ping) => "PING",
        Some(OpCode::Check) => "CHEC",
        Some(OpCode::Multi) => "MULT",
        Some(OpCode::MultiRead) => "MLTR",
        Some(OpCode::Reconfig) => "RECO",
        Some(OpCode::CheckWatches) => "CHKW",
        Some(OpCode::RemoveWatches) => "REMW",
        Some(OpCode::SetWatches) => "SETW",
        Some(OpCode::SetWatches2) => "STW2",
        Some(OpCode::AddWatch) => "ADDW",
        Some(OpCode::GetEphemerals) => "GETE",
        Some(OpCode::WhoAmI) => "HOMI",
        Some(OpCode::CreateSession) => "SESS",
        Some(OpCode::CloseSession) => "CLOS",
        Some(OpCode::Notification | OpCode::Error | OpCode::Auth | OpCode::Sasl) | None => "NA",
    }
}
