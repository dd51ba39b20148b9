//! Names of ZooKeeper's error codes and event types.

/// Every code a server may send, with the name scripts use for it.
pub const ERRORS: &[(i32, &str)] = &[
    (0, "ok"),
    (-1, "SystemError"),
    (-2, "RuntimeInconsistency"),
    (-3, "DataInconsistency"),
    (-4, "ConnectionLoss"),
    (-5, "MarshallingError"),
    (-6, "Unimplemented"),
    (-7, "OperationTimeout"),
    (-8, "BadArguments"),
    (-12, "UnknownSession"),
    (-13, "NewConfigNoQuorum"),
    (-14, "ReconfigInProgress"),
    (-100, "APIError"),
    (-101, "NoNode"),
    (-102, "NoAuth"),
    (-103, "BadVersion"),
    (-108, "NoChildrenForEphemerals"),
    (-110, "NodeExists"),
    (-111, "NotEmpty"),
    (-112, "SessionExpired"),
    (-113, "InvalidCallback"),
    (-114, "InvalidACL"),
    (-115, "AuthFailed"),
    (-118, "SessionMoved"),
    (-119, "NotReadOnly"),
    (-120, "EphemeralOnLocalSession"),
    (-121, "NoWatcher"),
    (-122, "RequestTimeout"),
    (-123, "ReconfigDisabled"),
    (-124, "SessionClosedRequireSaslAuth"),
    (-125, "QuotaExceeded"),
    (-127, "ThrottledOp"),
];

/// Event types that a server sends.
pub const EVENTS: &[(i32, &str)] = &[
    (1, "created"),
    (2, "deleted"),
    (3, "changed"),
    (4, "children"),
];

/// `NoNode` for −101; a number for a code without a name.
pub fn error_name(code: i32) -> String {
    name_of(ERRORS, code)
}

pub fn error_code(name: &str) -> Option<i32> {
    code_of(ERRORS, name)
}

pub fn event_name(code: i32) -> String {
    name_of(EVENTS, code)
}

pub fn event_code(name: &str) -> Option<i32> {
    code_of(EVENTS, name)
}

fn name_of(table: &[(i32, &str)], code: i32) -> String {
    let known = table.iter().find(|(number, _)| *number == code);
    known.map_or_else(|| code.to_string(), |(_, name)| (*name).to_owned())
}

fn code_of(table: &[(i32, &str)], name: &str) -> Option<i32> {
    let known = table.iter().find(|(_, known)| *known == name);
    known.map(|(code, _)| *code)
}
