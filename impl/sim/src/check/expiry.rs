//! When sessions expire: not while they are heard of, and not long after.
// spec: INV-07

use super::Broken;
use super::model::Model;
use crate::history::{Commit, Heard, History, Regime};
use crate::plan::{END_AT, Fault, HEAL_AT, MS, Plan, SECOND, TICK_MS, Us};
use std::collections::BTreeMap;
use zk_proto::{Txn, TxnRecord};

const TICK: Us = TICK_MS * MS;

/// What the check needs to know beside the history.
pub struct Times<'a> {
    pub plan: &'a Plan,
    /// (time, server that leads, session) of each expiry.
    pub expiries: &'a [(Us, usize, i64)],
    pub commits: &'a BTreeMap<i64, Commit>,
}

/// Judges every expiry, and every session that should have expired.
pub(super) fn expiry(
    history: &History,
    model: &Model,
    times: &Times<'_>,
    broken: &mut Vec<Broken>,
) {
    let sessions = Sessions::collect(history, times);
    for &(at, leader, session) in times.expiries {
        let Some(timeout) = sessions.timeouts.get(&session).copied() else {
            continue;
        };
        if let Some(heard) = sessions.heard_in_time(history, times, (at, leader, session), timeout)
        {
            let what = format!(
                "session {session:#x} expired at {at} us, {} us after server {} had heard of it",
                at - heard.at,
                heard.server + 1
            );
            broken.push(("INV-07", what, 0));
        }
        if let Some(since) = sessions.overdue(history, times, (at, leader, session), timeout) {
            let what =
                format!("session {session:#x} expired at {at} us, too long after {since} us");
            broken.push(("INV-07", what, 0));
        }
    }
    let leads = history
        .regimes
        .iter()
        .rev()
        .find(|it| it.leader == Some(it.server));
    for session in model.sessions.keys() {
        let (Some(timeout), Some(regime)) = (sessions.timeouts.get(session), leads) else {
            continue;
        };
        let end = (END_AT - SECOND, regime.server, *session);
        if let Some(since) = sessions.overdue(history, times, end, *timeout) {
            let what =
                format!("session {session:#x} never expired, though silent since {since} us");
            broken.push(("INV-07", what, 0));
        }
    }
    for path in model.orphans() {
        broken.push(("INV-07", format!("{path} outlives its session"), 0));
    }
}

/// (time, leader, session)
type Expiry = (Us, usize, i64);

#[derive(Default)]
struct Sessions<'a> {
    timeouts: BTreeMap<i64, Us>,
    begun: BTreeMap<i64, Us>,
    heard: BTreeMap<i64, Vec<&'a Heard>>,
    /// Longer than a report takes on a quiet network.
    slack: Us,
}

impl<'a> Sessions<'a> {
    fn collect(history: &'a History, times: &Times<'_>) -> Self {
        let mut all = Self {
            slack: 20 * times.plan.delay_us.1 + 100 * MS,
            ..Self::default()
        };
        for commit in times.commits.values() {
            if let Ok(record) = TxnRecord::decode(&commit.txn)
                && let Txn::CreateSession { timeout } = record.txn
            {
                let session = record.header.session_id;
                all.timeouts.insert(session, timeout as Us * MS);
                all.begun.insert(session, commit.at);
            }
        }
        for heard in &history.heard {
            all.heard.entry(heard.session).or_default().push(heard);
        }
        all
    }

    /// Bytes that the leader must have been told of before the expiry, and that forbid it.
    fn heard_in_time(
        &self,
        history: &History,
        times: &Times<'_>,
        (at, leader, session): Expiry,
        timeout: Us,
    ) -> Option<&'a Heard> {
        let from = at.saturating_sub(timeout);
        let to = at.saturating_sub(TICK / 2 + self.slack);
        let heard = self.heard.get(&session)?;
        heard
            .iter()
            .rev()
            .skip_while(|it| it.at > to)
            .take_while(|it| it.at > from)
            .find(|it| {
                it.attached
                    && follows(history, it.server, leader, it.at, at)
                    && !disturbed(times.plan, it.server, leader, it.at, at)
            })
            .copied()
    }

    /// Since when the session had been silent, if it should have been closed well before.
    fn overdue(
        &self,
        history: &History,
        times: &Times<'_>,
        (at, leader, session): Expiry,
        timeout: Us,
    ) -> Option<Us> {
        let mut heard = self.heard.get(&session).into_iter().flatten();
        let last = heard.rfind(|it| it.at <= at);
        let led = history
            .regimes
            .iter()
            .rev()
            .find(|it| it.server == leader && it.leader == Some(leader) && it.at <= at)?;
        let begun = self.begun.get(&session).copied().unwrap_or(0);
        let since = last.map_or(begun, |it| it.at.max(begun)).max(led.at);
        // The report of any server that had the session before may come late, and counts from then on.
        let servers = times.plan.servers();
        let calm = (0..servers).all(|it| !disturbed(times.plan, it, leader, since, at))
            && follows(history, leader, leader, since, at);
        (calm && at > since + timeout + 2 * TICK + self.slack).then_some(since)
    }
}

/// Whether a server followed this leader (or led) all the time.
fn follows(history: &History, server: usize, leader: usize, from: Us, to: Us) -> bool {
    let before = history.regimes.partition_point(|it| it.at <= from);
    let then = history.regimes[..before]
        .iter()
        .rev()
        .find(|it| it.server == server);
    let after = history.regimes[before..]
        .iter()
        .take_while(|it| it.at <= to);
    let is = |it: &Regime| it.leader == Some(leader);
    then.is_some_and(is) && after.filter(|it| it.server == server).all(is)
}

/// Whether a fault of the plan may have kept a report from the leader, or its effect had hardly passed.
fn disturbed(plan: &Plan, server: usize, leader: usize, from: Us, to: Us) -> bool {
    let spans = spans(plan, server, leader);
    spans
        .iter()
        .any(|(begin, end)| *begin <= to && *end + SECOND >= from)
}

/// When faults lay between two servers, or kept one of them from running.
fn spans(plan: &Plan, server: usize, leader: usize) -> Vec<(Us, Us)> {
    let pair = |a: usize, b: usize| (a, b) == (server, leader) || (b, a) == (server, leader);
    let mut faults: Vec<&(Us, Fault)> = plan.faults.iter().collect();
    faults.sort_by_key(|(at, _)| *at);
    let mut spans = Vec::new();
    let (mut cuts, mut slow) = (BTreeMap::new(), BTreeMap::new());
    let mut since = None;
    for &(at, fault) in faults {
        match fault {
            Fault::Cut { from, to } if pair(from, to) => {
                *cuts.entry((from, to)).or_insert(0_u32) += 1;
            }
            Fault::Mend { from, to } if pair(from, to) => {
                let cuts = cuts.entry((from, to)).or_default();
                *cuts = cuts.saturating_sub(1);
            }
            Fault::Slow { from, to, us } if pair(from, to) => {
                slow.insert((from, to), us > 0);
            }
            Fault::Pause { server: it, us } if it == server || it == leader => {
                spans.push((at, at + us + TICK));
            }
            _ => continue,
        }
        let bad = cuts.values().any(|cuts| *cuts > 0) || slow.values().any(|slow| *slow);
        match since {
            None if bad => since = Some(at),
            Some(begin) if !bad => {
                spans.push((begin, at));
                since = None;
            }
            None | Some(_) => {}
        }
    }
    spans.extend(since.map(|begin| (begin, HEAL_AT)));
    spans
}
