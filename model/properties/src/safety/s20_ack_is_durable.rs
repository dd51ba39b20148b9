//! S20, ack implies durable: An ACK leaves only when all that it covers is on disk; for NEWLEADER the whole history and the current epoch.

use crate::{Fact, Invariant, Value, View};

// spec: S20. ack implies durable.
pub(super) fn invariant<T: Value>() -> Invariant<T> {
    Invariant {
        number: 20,
        id: "S20",
        name: "ack implies durable",
        statement: "An ACK leaves only when all that it covers is on disk; for NEWLEADER the whole history and the current epoch.",
        state: None,
        step: Some(step),
    }
}

fn step<T: Value>(view: &View<'_, T>, fact: &Fact<'_, T>) -> bool {
    match fact {
        Fact::LogAcked { server, zxid } => view.server(*server).is_none_or(|it| {
            it.issued
                .iter()
                .take_while(|txn| txn.zxid <= *zxid)
                .eq(it.durable.iter().take_while(|txn| txn.zxid <= *zxid))
                && it.durable.iter().any(|txn| txn.zxid == *zxid)
        }),
        Fact::NewLeaderAcked { server, epoch } => view
            .server(*server)
            .is_none_or(|it| it.durable == it.issued && it.current == *epoch),
        _ => true,
    }
}
