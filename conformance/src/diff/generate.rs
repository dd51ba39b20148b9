//! Random requests as lines of the case language, so that what is found can be
//! pasted into a case.
//!
//! Znodes whose removal is the server's own business stay out of the way: a
//! container never loses a child, and TTLs are long.

/// SplitMix64: small, seeded, the same everywhere.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `bound`.
    fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound.max(1)).unwrap_or(1);
        usize::try_from(self.roll() % bound).unwrap_or_default()
    }

    fn pick<'a>(&mut self, items: &[&'a str]) -> &'a str {
        let at = self.below(items.len());
        items.get(at).copied().unwrap_or_default()
    }

    fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

const SESSIONS: &[&str] = &["a", "b", "c"];
const PATHS: &[&str] = &[
    "~", "~/a", "~/a", "~/a", "~/b", "~/b", "~/d", "~/a/a", "~/a/b", "~/b/a", "~/b/d", "~/a/a/b",
    "~/c", "~/c/a",
];
/// Where sequential znodes go: never next to the root, whose parent has another
/// counter on each server.
const SEQUENCES: &[&str] = &["~/s-", "~/a/s-", "~/b/", "~/no/s-", "~/a/a"];
/// Paths that something is wrong with.
const ODD_PATHS: &[&str] = &[
    "~/a/",
    "~//a",
    "noslash",
    "~/.",
    "~/a/..",
    "\"~/a\\u{1}\"",
    "\"~/\\u{e000}\"",
    "\"~/a\\u{0}\"",
    "~/no/no",
];
const ACLS: &[&str] = &[
    "",
    "",
    "",
    "",
    "",
    "",
    "acl=[1@world:anyone]",
    "acl=[30@world:anyone]",
    "acl=[27@world:anyone]",
    "acl=[23@world:anyone]",
    "acl=[31@auth:]",
    "acl=[]",
    "acl=null",
    "acl=[31@nosuch:x]",
    "acl=[31@world:x]",
    "acl=[31@world:anyone,31@world:anyone,1@ip:10.0.0.0/8]",
    "acl=[31@digest:user:tpUq/4Pn5A64fVZyQ0gOJ8ZWqkY=]",
    "acl=[1@ip:0.0.0.0/0,16@world:anyone]",
    "acl=[31@digest:u]",
    "acl=[31@ip:1.2.3]",
];
const DATA: &[&str] = &["\"\"", "null", "x", "hello", "hex:00ff", "fill:200"];
const VERSIONS: &[&str] = &[
    "",
    "",
    "",
    "version=0",
    "version=1",
    "version=2",
    "version=-1",
    "version=-7",
];
const WATCH: &[&str] = &["", "watch=true"];

/// `count` lines. Each of `skip` leaves out the lines that have all its words; the name of an argument is a word.
pub fn episode(random: &mut Random, count: usize, skip: &[String]) -> Vec<String> {
    let mut lines = Vec::with_capacity(count);
    while lines.len() < count {
        let line = line(random);
        let has = |word: &str| {
            line.split_whitespace().any(|part| {
                part == word || part.split_once('=').is_some_and(|(name, _)| name == word)
            })
        };
        let skipped = |words: &String| !words.is_empty() && words.split_whitespace().all(has);
        if !skip.iter().any(skipped) {
            lines.push(line);
        }
    }
    lines
}

fn line(random: &mut Random) -> String {
    let session = random.pick(SESSIONS);
    let request = match random.below(100) {
        0..24 => create(random),
        24..33 => format!("delete {} {}", deletable(random), random.pick(VERSIONS)),
        33..44 => format!(
            "setData {} {} {}",
            path(random),
            random.pick(DATA),
            random.pick(VERSIONS)
        ),
        44..50 => format!("getData {} {}", path(random), random.pick(WATCH)),
        50..56 => format!("exists {} {}", path(random), random.pick(WATCH)),
        56..60 => format!("getChildren {} {}", path(random), random.pick(WATCH)),
        60..64 => format!("getChildren2 {} {}", path(random), random.pick(WATCH)),
        64..67 => format!("getACL {}", path(random)),
        67..71 => set_acl(random),
        71..79 => multi(random),
        79..82 => multi_read(random),
        82..86 => format!("addWatch {} mode={}", path(random), random.below(2)),
        86..89 => watches(random),
        89..90 => format!("sync {}", path(random)),
        90..92 => format!("getEphemerals {}", random.pick(&["~", "~/a", "~/b/"])),
        92..93 => format!("getAllChildrenNumber {}", path(random)),
        93..95 => format!(
            "auth digest {}",
            random.pick(&["user:password", "other:secret"])
        ),
        95..96 => "whoAmI".into(),
        96..97 => set_watches(random),
        97..98 => "closeSession".into(),
        98..99 => "connect".into(),
        _ => "resume".into(),
    };
    format!("{session}: {}", request.trim_end())
}

fn path(random: &mut Random) -> &'static str {
    if random.one_in(25) {
        random.pick(ODD_PATHS)
    } else {
        random.pick(PATHS)
    }
}

/// Not the root, which the episode needs, and nothing of a container's.
fn deletable(random: &mut Random) -> &'static str {
    loop {
        let path = path(random);
        if path != "~" && !path.starts_with("~/c/") {
            return path;
        }
    }
}

fn create(random: &mut Random) -> String {
    let path = path(random);
    if path == "~/c" {
        return format!("createContainer {path} {}", random.pick(DATA));
    }
    let (data, acl) = (random.pick(DATA), random.pick(ACLS));
    let under_container = path.starts_with("~/c/");
    match random.below(12) {
        0..4 => format!("create {path} {data} {acl}"),
        4..6 => format!("create2 {path} {data} {acl}"),
        6..8 if !under_container => format!("create {path} {data} {acl} flags=1"),
        8 => format!("create {} {data} flags=2", random.pick(SEQUENCES)),
        9 => format!("create2 {} {data} flags=3", random.pick(SEQUENCES)),
        10 => format!(
            "createTTL {path} {data} {acl} ttl={}",
            random.pick(&["100000000", "0", "-1", "99999999"])
        ),
        11 => format!(
            "create {path} {data} flags={}",
            random.pick(&["7", "-1", "5", "9"])
        ),
        _ => format!("create {path} {data}"),
    }
}

fn set_acl(random: &mut Random) -> String {
    let acl = random.pick(ACLS);
    // The root must stay usable, or the rest of the episode says nothing.
    let path = match path(random) {
        "~" => "~/a",
        other => other,
    };
    format!("setACL {path} {acl} {}", random.pick(VERSIONS))
}

fn multi(random: &mut Random) -> String {
    let count = random.below(5);
    let parts: Vec<String> = (0..count)
        .map(|_| match random.below(8) {
            0..3 => format!("create {} {}", named(random), random.pick(DATA)),
            3 => format!("create {} {} flags=1", named(random), random.pick(DATA)),
            4 => format!("delete {} {}", deletable(random), random.pick(VERSIONS)),
            5 => format!(
                "setData {} {} {}",
                named(random),
                random.pick(DATA),
                random.pick(VERSIONS)
            ),
            6 => format!("check {} {}", named(random), random.pick(VERSIONS)),
            _ => format!("create {} x flags=2", random.pick(SEQUENCES)),
        })
        .collect();
    format!("multi {}", parts.join(" ; "))
}

/// A path for a multi, where containers are left alone.
fn named(random: &mut Random) -> &'static str {
    loop {
        let path = path(random);
        if !path.starts_with("~/c") {
            return path;
        }
    }
}

fn multi_read(random: &mut Random) -> String {
    let count = random.below(4);
    let parts: Vec<String> = (0..count)
        .map(|_| {
            format!(
                "{} {}",
                random.pick(&["getData", "getChildren"]),
                named(random)
            )
        })
        .collect();
    format!("multiRead {}", parts.join(" ; "))
}

fn watches(random: &mut Random) -> String {
    let op = random.pick(&["checkWatches", "removeWatches", "removeWatches"]);
    format!(
        "{op} {} type={}",
        path(random),
        random.pick(&["1", "2", "3", "4", "5", "0"])
    )
}

fn set_watches(random: &mut Random) -> String {
    let zxid = random.pick(&["1", "0x7ffffffffffffff"]);
    let mut list = |name: &str| format!("{name}=[{},{}]", random.pick(PATHS), random.pick(PATHS));
    let once = [list("data"), list("exist"), list("child")].join(" ");
    let more = [list("persistent"), list("recursive")].join(" ");
    match random.below(4) {
        0 => format!("setWatches relativeZxid={zxid} {once}"),
        1 => format!("setWatches2 relativeZxid={zxid} {once}"),
        _ => format!("setWatches2 relativeZxid={zxid} {once} {more}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::parse;

    #[test]
    fn a_seed_gives_the_same_lines_and_all_of_them_parse() {
        let lines = |seed| episode(&mut Random::new(seed), 2000, &[]);
        assert_eq!(lines(7), lines(7));
        assert_ne!(lines(7), lines(8));
        for line in lines(9) {
            parse::script(&line).unwrap_or_else(|why| panic!("{line}: {why}"));
        }
    }

    #[test]
    fn skipped_operations_do_not_come() {
        let skip = ["multi", "persistent", "exists watch=true"].map(str::to_owned);
        let lines = episode(&mut Random::new(1), 2000, &skip);
        let met = |words: [&str; 2]| {
            lines
                .iter()
                .any(|line| words.iter().all(|word| line.contains(word)))
        };
        assert!(!met([" multi ", ""]) && !met(["persistent=", ""]));
        assert!(!met([" exists ", "watch=true"]));
        assert!(met([" exists ", ""]) && met(["watch=true", ""]) && met(["setWatches2", ""]));
    }
}
