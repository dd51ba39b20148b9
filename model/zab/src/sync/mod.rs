//! Phase 2: every learner gets the leader's history; once a quorum adopted it,
//! the epoch is established and that history committed.
//!
//! ```text
//!   learner                                   leader
//!      │   DIFF | TRUNC | SNAP, PROPOSAL COMMIT ..., NEWLEADER
//!      │◀───────────────────────────────────────┤
//!      │ history durable, then current epoch    │
//!      │ ACK of NEWLEADER                       │
//!      ├───────────────────────────────────────▶│ quorum, itself included: established
//!      │                              UPTODATE  │
//!      │◀───────────────────────────────────────┤
//!      │ deliver, serve                         │
//! ```

mod leader;
mod learner;
