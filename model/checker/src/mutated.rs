//! The mutants, each with the property that it must violate and the bounds within which it does.

use crate::clients;
use crate::counterexample::Counterexample;
use crate::ensemble::FLAWS;
use crate::runs;
use crate::setup::{Bounds, Granularity, Setup};

/// A mutant with the bounds that find it. It is judged by its property alone: all others are off.
pub struct Mutated {
    pub id: &'static str,
    pub property: &'static str,
    pub about: &'static str,
    pub setup: Setup,
    /// Where its search begins, if not at the beginning.
    pub guide: Option<Guide>,
}

/// The first steps of a stored counterexample. A search that begins after them is complete from there on, and shows
/// that a violation exists, not that there is none without these steps.
pub struct Guide {
    /// How many steps are given.
    pub steps: usize,
    json: &'static str,
}

impl Guide {
    pub fn counterexample(&self) -> serde_json::Result<Counterexample> {
        serde_json::from_str(self.json)
    }
}

/// All mutants in the order of their numbers.
pub fn mutants() -> Vec<Mutated> {
    let of_clients = clients::MUTANTS
        .iter()
        .map(|(id, _, property, about)| (*id, *property, *about, runs::clients()));
    let of_core = FLAWS
        .iter()
        .filter_map(|(id, _, property, about)| Some((*id, *property, *about, bounds_of(id)?)));
    let mut all: Vec<Mutated> = of_core
        .chain(of_clients)
        .map(|(id, property, about, setup)| Mutated {
            id,
            property,
            about,
            setup: setup.mutated(id, property),
            guide: guide_of(id),
        })
        .collect();
    all.sort_by_key(|it| it.id[1..].parse::<u32>().unwrap_or(u32::MAX));
    all
}

/// The bounds that find a mutant of the core (elections, txns, crashes, breaks), and what else it needs.
fn bounds_of(id: &str) -> Option<Setup> {
    let g0 = |e, t, c, b| Setup::new(Granularity::G0, Bounds::new(e, t, c, b));
    let g1 = |e, t, c, b| Setup::new(Granularity::G1, Bounds::new(e, t, c, b));
    let java = |setup| Setup {
        java: true,
        ..setup
    };
    let snap = |setup| Setup { window: 0, ..setup };
    Some(match id {
        "M1" => g0(3, 1, 2, 0),
        "M2" | "M3" => g0(2, 1, 0, 1),
        "M4" | "M13" | "M16" => g0(3, 1, 1, 1),
        "M5" | "M20" | "M22" => g1(2, 1, 0, 1),
        "M6" => java(g1(1, 1, 0, 1)),
        "M7" | "M17" | "M19" | "M24" | "M62" => g1(1, 2, 0, 1),
        "M8" | "M11" | "M18" => java(g1(1, 2, 0, 1)),
        "M9" => snap(g0(3, 1, 1, 1)),
        "M10" | "M12" => g0(3, 2, 1, 1),
        "M14" => g1(2, 0, 1, 1),
        "M15" => g1(2, 0, 1, 0),
        "M21" => g0(4, 2, 0, 3),
        "M23" => g1(3, 1, 0, 3),
        "M25" => g0(4, 1, 3, 1),
        "M26" => Setup {
            counter_limit: 1,
            ..g1(2, 3, 0, 0)
        },
        "M27" => g1(1, 1, 0, 1),
        "M28" => snap(g0(2, 2, 0, 1)),
        "M29" | "M31" | "M60" => votes(3, 1),
        "M30" => votes(5, 0),
        "M36" => g1(2, 1, 2, 0),
        "M45" | "M57" => g1(2, 0, 0, 2),
        "M46" => g1(1, 2, 0, 0),
        "M47" | "M50" | "M52" | "M53" => g0(2, 2, 0, 1),
        "M48" => g0(1, 2, 0, 0),
        "M49" => g0(1, 1, 0, 1),
        "M51" => g0(3, 1, 0, 2),
        "M54" => g0(1, 2, 0, 1),
        "M55" => g0(2, 2, 1, 0),
        "M56" => g0(1, 1, 0, 0),
        "M58" | "M59" => votes(3, 0),
        "M65" => Setup {
            histories: true,
            ..votes(3, 0)
        },
        "M66" => Setup {
            asks: 1,
            ..g1(2, 0, 0, 1)
        },
        "M61" => Setup {
            wipes: 1,
            ..g0(2, 1, 1, 0)
        },
        "M64" => Setup {
            acks_unwritten: true,
            opening_txn: true,
            ..g0(2, 1, 0, 1)
        },
        "M63" => Setup {
            wipes: 1,
            ..g0(2, 1, 3, 0)
        },
        _ => return None,
    })
}

fn votes(servers: u8, restarts: u8) -> Setup {
    Setup {
        servers,
        half_open: false,
        ..Setup::new(Granularity::G2, Bounds::new(0, 0, restarts, 0))
    }
}

/// These lie deeper than a search from the beginning gets: other leaders, other crashes and other links come first.
fn guide_of(id: &str) -> Option<Guide> {
    let (steps, json) = match id {
        "M1" => (12, include_str!("../counterexamples/M1.json")),
        "M21" => (20, include_str!("../counterexamples/M21.json")),
        "M25" => (18, include_str!("../counterexamples/M25.json")),
        _ => return None,
    };
    Some(Guide { steps, json })
}
