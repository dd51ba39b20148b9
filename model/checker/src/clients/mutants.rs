//! Flaws that the client model can be given, with the property that each must violate.

/// A wrong server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Flaw {
    /// M32: a sync is answered by the server itself, not by the leader.
    LocalSync,
    /// M33: a close names the ephemerals of the committed tree and misses creates that are still in the pipeline.
    CloseMissesPipeline,
    /// M34: a server takes a client that has seen more than it has.
    TakesNewerClient,
    /// M35: the leader does not check that a request comes through the owner of its session.
    NoFence,
    /// The leader judges a request against the committed tree instead of the proposed one.
    JudgesCommitted,
    /// The link to the leader does not keep the order of requests.
    Overtaking,
    /// A read does not wait for the writes of its own session.
    HastyRead,
    /// The leader takes requests of a session that it has already ended.
    ServesTheDead,
    /// A session expires although its client is heard.
    ExpiresTouched,
    /// Watch events are sent when there is time.
    LateEvents,
    /// A client that moves does not set its watches again.
    ForgetsWatches,
    /// The parts of a multi are applied one by one.
    HalfMulti,
}

/// Mutants of the client model: id, flaw, property that must be violated, what is wrong.
pub const MUTANTS: [(&str, Flaw, &str, &str); 12] = [
    (
        "M32",
        Flaw::LocalSync,
        "K5",
        "sync answered without the leader",
    ),
    (
        "M33",
        Flaw::CloseMissesPipeline,
        "K8",
        "close misses creates in the pipeline",
    ),
    (
        "M34",
        Flaw::TakesNewerClient,
        "K3",
        "reconnect ignores the client's last zxid",
    ),
    ("M35", Flaw::NoFence, "K6", "a moved session is not fenced"),
    (
        "M37",
        Flaw::JudgesCommitted,
        "K1",
        "verdicts from the committed tree only",
    ),
    (
        "M38",
        Flaw::Overtaking,
        "K2",
        "requests overtake on the way to the leader",
    ),
    (
        "M39",
        Flaw::HastyRead,
        "K4",
        "reads do not wait for own writes",
    ),
    (
        "M40",
        Flaw::ServesTheDead,
        "K7",
        "requests of an ended session succeed",
    ),
    (
        "M41",
        Flaw::ExpiresTouched,
        "K7",
        "a session that is heard expires",
    ),
    (
        "M42",
        Flaw::LateEvents,
        "K9",
        "watch event after the read that shows the change",
    ),
    (
        "M43",
        Flaw::ForgetsWatches,
        "K9",
        "watches lost on reconnect",
    ),
    ("M44", Flaw::HalfMulti, "K10", "multi applied in parts"),
];
