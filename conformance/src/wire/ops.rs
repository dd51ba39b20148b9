//! The operations: code, request record, response record.
//!
//! A `Stat` is written out as its eleven fields, so every field of a response
//! has a name that scripts can match.

use super::jute::Out;
use super::value::{Kind, Value};

/// A named field of a record.
pub type Field = (&'static str, Kind);

#[derive(Debug)]
pub struct Op {
    pub name: &'static str,
    pub code: i32,
    pub request: &'static [Field],
    pub response: &'static [Field],
}

macro_rules! stat_after {
    ($($field:expr),*) => {
        &[
            $($field,)*
            ("czxid", Kind::Long),
            ("mzxid", Kind::Long),
            ("ctime", Kind::Long),
            ("mtime", Kind::Long),
            ("version", Kind::Int),
            ("cversion", Kind::Int),
            ("aversion", Kind::Int),
            ("ephemeralOwner", Kind::Long),
            ("dataLength", Kind::Int),
            ("numChildren", Kind::Int),
            ("pzxid", Kind::Long),
        ]
    };
}

const PATH: Field = ("path", Kind::Str);
const DATA: Field = ("data", Kind::Buf);
const ACL: Field = ("acl", Kind::Acls);
const WATCH: Field = ("watch", Kind::Bool);
const VERSION: Field = ("version", Kind::Int);
const CHILDREN: Field = ("children", Kind::Strs);
const CREATE: &[Field] = &[PATH, DATA, ACL, ("flags", Kind::Int)];
const READ: &[Field] = &[PATH, WATCH];
const PATH_STAT: &[Field] = stat_after!(PATH);

const fn op(
    name: &'static str,
    code: i32,
    request: &'static [Field],
    response: &'static [Field],
) -> Op {
    Op {
        name,
        code,
        request,
        response,
    }
}

/// Every operation a client may send, and the multi forms apart (their bodies
/// are lists, see [`super::reply`]).
pub const OPS: &[Op] = &[
    op("create", 1, CREATE, &[PATH]),
    op("delete", 2, &[PATH, VERSION], &[]),
    op("exists", 3, READ, stat_after!()),
    op("getData", 4, READ, stat_after!(DATA)),
    op("setData", 5, &[PATH, DATA, VERSION], stat_after!()),
    op("getACL", 6, &[PATH], stat_after!(ACL)),
    op("setACL", 7, &[PATH, ACL, VERSION], stat_after!()),
    op("getChildren", 8, READ, &[CHILDREN]),
    op("sync", 9, &[PATH], &[PATH]),
    op("ping", 11, &[], &[]),
    op("getChildren2", 12, READ, stat_after!(CHILDREN)),
    op("check", 13, &[PATH, VERSION], &[]),
    op("multi", 14, &[], &[]),
    op("create2", 15, CREATE, PATH_STAT),
    op(
        "reconfig",
        16,
        &[
            ("joining", Kind::Str),
            ("leaving", Kind::Str),
            ("members", Kind::Str),
            ("config", Kind::Long),
        ],
        stat_after!(DATA),
    ),
    op("checkWatches", 17, &[PATH, ("type", Kind::Int)], &[]),
    op("removeWatches", 18, &[PATH, ("type", Kind::Int)], &[]),
    op("createContainer", 19, CREATE, PATH_STAT),
    op("deleteContainer", 20, &[("body", Kind::Buf)], &[]),
    op(
        "createTTL",
        21,
        &[PATH, DATA, ACL, ("flags", Kind::Int), ("ttl", Kind::Long)],
        PATH_STAT,
    ),
    op("multiRead", 22, &[], &[]),
    op(
        "auth",
        100,
        &[
            ("scheme", Kind::Str),
            ("auth", Kind::Buf),
            ("type", Kind::Int),
        ],
        &[],
    ),
    op(
        "setWatches",
        101,
        &[
            ("relativeZxid", Kind::Long),
            ("data", Kind::Strs),
            ("exist", Kind::Strs),
            ("child", Kind::Strs),
        ],
        &[],
    ),
    op(
        "sasl",
        102,
        &[("token", Kind::Buf)],
        &[("token", Kind::Buf)],
    ),
    op("getEphemerals", 103, &[PATH], &[("ephemerals", Kind::Strs)]),
    op(
        "getAllChildrenNumber",
        104,
        &[PATH],
        &[("totalNumber", Kind::Int)],
    ),
    op(
        "setWatches2",
        105,
        &[
            ("relativeZxid", Kind::Long),
            ("data", Kind::Strs),
            ("exist", Kind::Strs),
            ("child", Kind::Strs),
            ("persistent", Kind::Strs),
            ("recursive", Kind::Strs),
        ],
        &[],
    ),
    op(
        "addWatch",
        106,
        &[PATH, ("mode", Kind::Int)],
        &[("bodyErr", Kind::Int)],
    ),
    op("whoAmI", 107, &[], &[("ids", Kind::Infos)]),
    op("createSession", -10, &[("timeout", Kind::Int)], &[]),
    op("closeSession", -11, &[], &[]),
];

/// The stat fields, for results that carry nothing else.
pub const STAT: &[Field] = stat_after!();

pub fn by_name(name: &str) -> Option<&'static Op> {
    OPS.iter().find(|op| op.name == name)
}

pub fn by_code(code: i32) -> Option<&'static Op> {
    OPS.iter().find(|op| op.code == code)
}

impl Op {
    /// What a field is when a script does not give it.
    pub fn default_of(&self, field: Field) -> Value {
        match field {
            ("acl", _) => Value::List(vec![Value::Acl(super::value::Acl {
                perms: 31,
                scheme: Some("world".into()),
                id: Some("anyone".into()),
            })]),
            ("version" | "config", _) => Value::Int(-1),
            ("flags", _) if self.name == "createTTL" => Value::Int(5),
            ("flags", _) if self.name == "createContainer" => Value::Int(4),
            ("joining" | "leaving" | "members" | "token", _) => Value::Null,
            (_, Kind::Bool) => Value::Bool(false),
            (_, Kind::Int | Kind::Long) => Value::Int(0),
            (_, Kind::Str | Kind::Buf) => Value::Text(String::new()),
            (_, Kind::Strs | Kind::Acls | Kind::Infos) => Value::List(Vec::new()),
        }
    }

    /// The request record. `auth` sends its type first but takes it last from
    /// a script, where it is never interesting.
    pub fn encode(&self, values: &[Value], out: &mut Out) {
        let pairs = || self.request.iter().zip(values);
        if self.name == "auth" {
            pairs()
                .filter(|(field, _)| field.0 == "type")
                .for_each(|(field, value)| value.encode(field.1, out));
            pairs()
                .filter(|(field, _)| field.0 != "type")
                .for_each(|(field, value)| value.encode(field.1, out));
        } else if self.name == "deleteContainer" {
            // 3.8 takes raw path bytes, 3.9 a buffer; the script says which.
            pairs()
                .for_each(|(_, value)| out.0.extend_from_slice(value.bytes().unwrap_or_default()));
        } else {
            pairs().for_each(|(field, value)| value.encode(field.1, out));
        }
    }

    /// The xid that clients use for this operation, if it is not an ordinary one.
    pub fn reserved_xid(&self) -> Option<i32> {
        match self.name {
            "ping" => Some(-2),
            "auth" => Some(-4),
            "setWatches" | "setWatches2" => Some(-8),
            _ => None,
        }
    }
}
