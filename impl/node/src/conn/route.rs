//! Which way a request goes, by its op code alone (CP-OP-03).

use zk_proto::OpCode;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Becomes a txn.
    Write(OpCode),
    /// Waits until everything committed so far is applied.
    Sync,
    /// Answered from the tree of this server.
    Read(OpCode),
    /// Changes the identities of the connection.
    Auth,
    Sasl,
    /// Not for clients: answered as unimplemented, then closed.
    Refused,
}

// spec: CP-OP-10, CP-OP-12, CP-OP-30, CP-EPH-26, FT-CON-12. What only servers may ask for, and a
// check outside a multi, is refused like a number that does not exist.
#[must_use]
pub fn route(op: i32) -> Route {
    let Some(op) = OpCode::from_code(op) else {
        return Route::Refused;
    };
    match op {
        OpCode::Create
        | OpCode::Create2
        | OpCode::CreateContainer
        | OpCode::CreateTtl
        | OpCode::Delete
        | OpCode::SetData
        | OpCode::SetAcl
        | OpCode::Multi
        | OpCode::Reconfig
        | OpCode::CloseSession => Route::Write(op),
        OpCode::Sync => Route::Sync,
        OpCode::Exists
        | OpCode::GetData
        | OpCode::GetAcl
        | OpCode::GetChildren
        | OpCode::GetChildren2
        | OpCode::MultiRead
        | OpCode::GetEphemerals
        | OpCode::GetAllChildrenNumber
        | OpCode::WhoAmI
        | OpCode::Ping
        | OpCode::SetWatches
        | OpCode::SetWatches2
        | OpCode::AddWatch
        | OpCode::CheckWatches
        | OpCode::RemoveWatches => Route::Read(op),
        OpCode::Auth => Route::Auth,
        OpCode::Sasl => Route::Sasl,
        OpCode::Notification
        | OpCode::Error
        | OpCode::CreateSession
        | OpCode::DeleteContainer
        | OpCode::Check => Route::Refused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_and_unknown_ops_are_refused() {
        // spec: CP-OP-10, CP-OP-12, CP-OP-30, CP-EPH-26
        for op in [0, -1, 10, 13, 20, -10, 23, 99, 108, i32::MIN, i32::MAX] {
            assert_eq!(route(op), Route::Refused, "{op}");
        }
    }

    #[test]
    fn every_other_op_of_the_table_has_a_way() {
        // spec: CP-OP-03
        let refused = OpCode::ALL
            .iter()
            .filter(|op| route(op.code()) == Route::Refused)
            .count();
        assert_eq!(refused, 5);
        assert_eq!(route(-11), Route::Write(OpCode::CloseSession));
        assert_eq!(route(9), Route::Sync);
        assert_eq!(route(11), Route::Read(OpCode::Ping));
    }
}
