//! K1 a second time, by stateright's search for a linear order that does not know the log.

use stateright::semantics::{ConsistencyTester, LinearizabilityTester, SequentialSpec};
use zab_properties::client::{Answer, History, Request, Session, Tree, Verdict, apply};

/// The tree as an object that executes writes one after the other.
#[derive(Clone, Debug)]
struct Writes(Tree);

impl SequentialSpec for Writes {
    type Op = (Session, Request);
    type Ret = Verdict;

    fn invoke(&mut self, (session, request): &Self::Op) -> Verdict {
        apply(&mut self.0, request, *session, 0)
    }
}

/// Whether the answered writes can have been executed in some order that respects real time.
///
/// Every call is a thread of its own, since a session may have several in flight. An expiry is a write that nobody waits
/// for. Calls stand in the order of issue, so answers can be replayed just before the first call that came after them.
pub(super) fn is_linearizable(history: &History) -> bool {
    replay(history).is_ok_and(|tester| tester.is_consistent())
}

fn replay(history: &History) -> Result<LinearizabilityTester<usize, Writes>, String> {
    let mut tester = LinearizabilityTester::new(Writes(history.initial.clone()));
    let mut returned = 0_u64;
    for (place, entry) in history
        .log
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.xid.is_none())
    {
        tester.on_invoke(
            history.calls.len() + place,
            (entry.session, entry.request.clone()),
        )?;
    }
    for (index, call) in history.calls.iter().enumerate() {
        give_answers(&mut tester, history, call.after & !returned)?;
        returned |= call.after;
        if call.request.writes() {
            tester.on_invoke(index, (call.session, call.request.clone()))?;
        }
    }
    give_answers(&mut tester, history, !returned)?;
    Ok(tester)
}

fn give_answers(
    tester: &mut LinearizabilityTester<usize, Writes>,
    history: &History,
    calls: u64,
) -> Result<(), String> {
    for (index, call) in history.calls.iter().enumerate() {
        if let (true, Some(Answer::Wrote { verdict, .. })) =
            (calls & (1 << index) != 0, &call.answer)
        {
            tester.on_return(index, *verdict)?;
        }
    }
    Ok(())
}
