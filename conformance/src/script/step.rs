//! What a script says, as data.

use std::time::Duration;

use super::token::{Compare, Token};
use crate::wire::ops::Op;

/// A script is its steps in order.
pub type Script = Vec<Step>;

#[derive(Debug, Clone)]
pub struct Step {
    /// 1-based line in the script.
    pub line: usize,
    pub text: String,
    pub session: String,
    pub action: Action,
}

#[derive(Debug, Clone)]
pub enum Action {
    Connect {
        /// Present the session's own id and password.
        resume: bool,
        args: Vec<(String, Token)>,
        expect: ConnectExpect,
    },
    /// Send and read the answer.
    Call(Box<Request>, Vec<Expect>),
    Send(Box<Request>),
    /// Read the answer of the oldest request not yet answered.
    Receive(Vec<Expect>),
    Event(EventExpect),
    /// The next frame is the answer to a ping sent now.
    Quiet,
    /// The server closes and sends nothing before.
    Closed,
    /// Close the TCP connection, session left alone.
    Drop,
    /// Bytes as they are, or with a length in front.
    Raw {
        bytes: Vec<u8>,
        framed: bool,
    },
    /// Repeat until it holds.
    Wait {
        bound: Duration,
        action: Box<Action>,
    },
    Let {
        name: String,
        value: Token,
    },
    Verify {
        left: Token,
        compare: Compare,
        right: Token,
    },
    Words {
        word: String,
        expect: WordsExpect,
    },
    /// A driver command on servers chosen by number or role.
    Server {
        verb: String,
        who: Token,
    },
    /// Other clients, one on each server, write and read.
    Probe,
}

#[derive(Debug, Clone)]
pub struct Request {
    pub what: What,
    pub xid: Option<Token>,
    pub cut: Option<Cut>,
    /// Appended to the body.
    pub extra: Vec<u8>,
}

/// How much of a request's body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// So many bytes; negative counts from the end.
    At(i64),
    /// Each shorter form in turn, from nothing to all but the last byte.
    Each,
}

#[derive(Debug, Clone)]
pub enum What {
    Plain(Plain),
    Multi {
        op: &'static Op,
        parts: Vec<Plain>,
    },
    /// Any op code with any body.
    Other {
        code: i32,
        body: Vec<u8>,
    },
}

#[derive(Debug, Clone)]
pub struct Plain {
    pub op: &'static Op,
    /// Index of the request field, and its value.
    pub args: Vec<(usize, Token)>,
}

/// One acceptable answer. All but the first make the case NON-STRICT.
#[derive(Debug, Clone)]
pub struct Expect {
    pub text: String,
    pub err: i32,
    pub checks: Vec<Check>,
    pub items: Option<Items>,
}

#[derive(Debug, Clone)]
pub struct Check {
    pub name: String,
    pub compare: Compare,
    pub value: Token,
}

#[derive(Debug, Clone)]
pub enum Items {
    /// One failed op and its error; the rest as a failed multi has them.
    Fails {
        at: usize,
        err: i32,
    },
    Each(Vec<ItemExpect>),
}

#[derive(Debug, Clone)]
pub struct ItemExpect {
    /// The result's type, −1 for an error.
    pub code: i32,
    pub err: i32,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone)]
pub enum ConnectExpect {
    Accepted(Vec<Check>),
    /// Timeout 0, id 0, zero password, then the connection closes.
    Invalid(Vec<Check>),
    /// Closed without an answer.
    Closed,
}

#[derive(Debug, Clone)]
pub struct EventExpect {
    pub kind: i32,
    pub path: Token,
    pub checks: Vec<Check>,
}

#[derive(Debug, Clone)]
pub enum WordsExpect {
    /// The whole answer.
    Exact(String),
    /// Patterns with `*`, each of which some line matches.
    Lines(Vec<String>),
    /// Nothing, then closed.
    Nothing,
}
