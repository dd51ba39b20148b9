//! What the server must not remove, shown by something later that it does remove.

use crate::engine::Stop;
use crate::engine::run::Run;

/// spec: CP-EPH-21. Two more containers, emptied one after the other, go; by then the timer has looked at the others,
/// and removed whatever it found there.
pub(super) fn containers_in_use_stay(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script(
        "createContainer ~/used\ncreate ~/used/x\ncreateContainer ~/never\n\
         createContainer ~/spent\ncreate ~/spent/x\ndelete ~/spent/x\n\
         wait exists ~/spent -> NoNode\n\
         createContainer ~/last\ncreate ~/last/x\ndelete ~/last/x\n\
         wait exists ~/last -> NoNode\nexists ~/used -> ok\nexists ~/never -> ok",
    )
}

/// spec: CP-EPH-22
pub(super) fn ttl_with_child_stays(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script(
        "multi createTTL ~/parent ttl=1 ; create ~/parent/x\ncreateTTL ~/later ttl=400\n\
         wait exists ~/later -> NoNode\nexists ~/parent -> ok\n\
         delete ~/parent/x\nwait exists ~/parent -> NoNode",
    )
}
