//! From a plan that fails to a smaller one that fails by the same rule: whole kinds of faults go first, then single faults,
//! then clients, then turns of clients.
// spec: faults.md 7
//!
//! Each purpose draws from a random stream of its own, so what goes does not shift what the others draw. What a client
//! asks depends on what it was answered, though: a smaller plan is another run, and is kept only if it fails too.

use crate::plan::{Fault, Plan, Us};
use std::mem::discriminant;

/// What a run of a plan showed.
#[derive(Clone, Debug, Default)]
pub struct Tried {
    /// The rules that it broke.
    pub rules: Vec<String>,
    /// How many turns each client had.
    pub turns: Vec<u32>,
}

/// Runs a plan. None once the time is up.
pub type Run<'a> = dyn FnMut(&Plan) -> Option<Tried> + 'a;

/// A rule that judges whether anything is asked at all: clients and turns stay.
const NEEDS_CLIENTS: &str = "INV-16";

/// The smallest plan found that breaks the first rule that this one breaks, and that rule. None if it breaks none.
pub fn shrink(plan: &Plan, run: &mut Run<'_>) -> Option<(Plan, String)> {
    let tried = run(plan)?;
    let rule = tried.rules.first()?.clone();
    let mut search = Search {
        best: plan.clone(),
        turns: tried.turns,
        rule: rule.clone(),
        run,
        over: false,
    };
    search.faults();
    if rule != NEEDS_CLIENTS {
        search.clients();
        search.turns();
    }
    Some((search.best, rule))
}

struct Search<'a, 'b> {
    best: Plan,
    /// Of the best plan's clients.
    turns: Vec<u32>,
    rule: String,
    run: &'a mut Run<'b>,
    over: bool,
}

impl Search<'_, '_> {
    /// Whether this plan breaks the rule too; then it is the best so far.
    fn takes(&mut self, plan: Plan) -> bool {
        if self.over {
            return false;
        }
        let Some(tried) = (self.run)(&plan) else {
            self.over = true;
            return false;
        };
        let fails = tried.rules.contains(&self.rule);
        if fails {
            self.best = plan;
            self.turns = tried.turns;
        }
        fails
    }

    fn faults(&mut self) {
        let mut units = units(&self.best.faults);
        let mut kinds = Vec::new();
        for unit in &units {
            let kind = discriminant(&unit[0].1);
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        for kind in kinds {
            let others: Vec<Unit> = units
                .iter()
                .filter(|unit| discriminant(&unit[0].1) != kind)
                .cloned()
                .collect();
            if self.takes(with_faults(&self.best, &others)) {
                units = others;
            }
        }
        let base = self.best.clone();
        reduce(units, |units| self.takes(with_faults(&base, units)));
    }

    fn clients(&mut self) {
        let base = self.best.clone();
        let present = (0..base.clients).filter(|it| !base.absent.contains(it));
        reduce(present.collect(), |kept| {
            let mut plan = base.clone();
            plan.absent = (0..base.clients).filter(|it| !kept.contains(it)).collect();
            self.takes(plan)
        });
    }

    /// In their order in time, so that halves are beginnings and ends.
    fn turns(&mut self) {
        let base = self.best.clone();
        let longest = self.turns.iter().copied().max().unwrap_or(0);
        let all: Vec<(usize, u32)> = (0..longest)
            .flat_map(|turn| (0..base.clients).map(move |client| (client, turn)))
            .filter(|(client, turn)| self.turns.get(*client).is_some_and(|had| turn < had))
            .collect();
        reduce(all.clone(), |kept| {
            let mut plan = base.clone();
            let kept: std::collections::BTreeSet<_> = kept.iter().copied().collect();
            plan.passed = all
                .iter()
                .copied()
                .filter(|it| !kept.contains(it))
                .collect();
            self.takes(plan)
        });
    }
}

/// A fault with what ends it.
type Unit = Vec<(Us, Fault)>;

fn units(faults: &[(Us, Fault)]) -> Vec<Unit> {
    let mut rest = faults.to_vec();
    let mut units = Vec::new();
    while !rest.is_empty() {
        let begin = rest.remove(0);
        let mut unit = vec![begin];
        let mut place = 0;
        while place < rest.len() {
            let known = unit[1..].iter().any(|(_, fault)| *fault == rest[place].1);
            if !known && ends(begin.1, rest[place].1) {
                unit.push(rest.remove(place));
            } else {
                place += 1;
            }
        }
        units.push(unit);
    }
    units
}

/// The faults, clients and turns of a plan, a line each.
#[must_use]
pub fn described(plan: &Plan) -> String {
    let mut lines = vec![format!(
        "{} voters, {} observers, clients {:?}, {} turns passed, {} faults",
        plan.voters,
        plan.observers,
        Vec::from_iter((0..plan.clients).filter(|it| !plan.absent.contains(it))),
        plan.passed.len(),
        plan.faults.len(),
    )];
    let faults = plan.faults.iter();
    lines.extend(faults.map(|(at, fault)| format!("{:>12.6} {fault:?}", *at as f64 / 1e6)));
    lines.join("\n")
}

/// Whether the second fault takes back the first.
fn ends(begin: Fault, later: Fault) -> bool {
    match (begin, later) {
        (
            Fault::Kill { server } | Fault::PowerCut { server } | Fault::FailSync { server },
            Fault::Start { server: other },
        )
        | (Fault::CutClients { server }, Fault::MendClients { server: other })
        | (
            Fault::Limp { server, .. },
            Fault::Limp {
                server: other,
                us: 0,
            },
        )
        | (
            Fault::Full { server, full: true },
            Fault::Full {
                server: other,
                full: false,
            }
            | Fault::Start { server: other },
        ) => server == other,
        (Fault::PowerCutAll, Fault::Start { .. }) => true,
        (
            Fault::Cut { from, to },
            Fault::Mend {
                from: other,
                to: peer,
            },
        )
        | (
            Fault::Slow { from, to, .. },
            Fault::Slow {
                from: other,
                to: peer,
                us: 0,
            },
        ) => (from, to) == (other, peer),
        _ => false,
    }
}

fn with_faults(plan: &Plan, units: &[Unit]) -> Plan {
    let mut plan = plan.clone();
    plan.faults = units.concat();
    plan.faults.sort_by_key(|(at, _)| *at);
    plan
}

/// Leaves out ever smaller pieces, as long as what is left still does.
fn reduce<T: Clone>(all: Vec<T>, mut does: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut kept = all;
    let mut size = kept.len();
    while size > 0 {
        let mut place = 0;
        while place < kept.len() {
            let end = (place + size).min(kept.len());
            let without: Vec<T> = [&kept[..place], &kept[end..]].concat();
            if does(&without) {
                kept = without;
            } else {
                place = end;
            }
        }
        size /= 2;
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_what_is_needed() {
        let mut runs = 0;
        let left = reduce((0..100).collect(), |kept: &[u32]| {
            runs += 1;
            kept.contains(&17) && kept.contains(&80)
        });
        assert_eq!(left, [17, 80]);
        assert!(runs < 60, "{runs}");
        assert!(reduce(vec![1, 2, 3], |_| true).is_empty());
        assert_eq!(reduce(vec![1, 2, 3], |_| false), [1, 2, 3]);
    }

    #[test]
    fn a_fault_goes_with_what_ends_it() {
        let faults = [
            (1, Fault::Kill { server: 0 }),
            (2, Fault::Cut { from: 0, to: 1 }),
            (3, Fault::Kill { server: 1 }),
            (4, Fault::Start { server: 1 }),
            (5, Fault::Start { server: 0 }),
            (6, Fault::Mend { from: 0, to: 1 }),
            (7, Fault::Start { server: 0 }),
        ];
        let places: Vec<Vec<Us>> = units(&faults)
            .iter()
            .map(|unit| unit.iter().map(|(at, _)| *at).collect())
            .collect();
        assert_eq!(places, [vec![1, 5], vec![2, 6], vec![3, 4], vec![7]]);
    }

    fn tried(rules: &[&str]) -> Option<Tried> {
        Some(Tried {
            rules: rules.iter().map(|rule| (*rule).to_owned()).collect(),
            turns: vec![4; 5],
        })
    }

    /// Fails by one rule with a fault and a turn, and by another one without the turn.
    #[test]
    fn only_the_same_rule_counts() {
        let mut plan = Plan::draw(3);
        plan.clients = 5;
        plan.faults = vec![
            (1, Fault::PowerCutAll),
            (2, Fault::Kill { server: 0 }),
            (3, Fault::Kill { server: 1 }),
        ];
        let mut run = |plan: &Plan| {
            let kill = (3, Fault::Kill { server: 1 });
            if !plan.faults.contains(&kill) {
                return tried(&[]);
            }
            if plan.absent.contains(&2) || plan.passed.contains(&(2, 3)) {
                return tried(&["INV-09"]);
            }
            tried(&["INV-04"])
        };
        let (small, rule) = shrink(&plan, &mut run).unwrap();
        assert_eq!(rule, "INV-04");
        assert_eq!(small.faults, [(3, Fault::Kill { server: 1 })]);
        assert_eq!(Vec::from_iter(small.absent), [0, 1, 3, 4]);
        assert!(!small.passed.contains(&(2, 3)) && small.passed.contains(&(2, 0)));
        assert!(shrink(&plan, &mut |_| tried(&[])).is_none());
    }

    #[test]
    fn what_is_found_when_the_time_is_up_stays() {
        let mut plan = Plan::draw(3);
        plan.faults = (0..8).map(|at| (at, Fault::Kill { server: 0 })).collect();
        let mut left = 3;
        let (small, _) = shrink(&plan, &mut |_| {
            left -= 1;
            if left < 0 { None } else { tried(&["INV-16"]) }
        })
        .unwrap();
        assert!(small.faults.len() < plan.faults.len());
        assert!(small.absent.is_empty());
    }
}
