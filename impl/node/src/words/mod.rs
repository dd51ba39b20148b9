//! The four-letter words: what an operator may type into a fresh connection, and the
//! answers, byte for byte as Apache ZooKeeper writes them.
//!
//! [`Word::parse`] looks at a connection's first four bytes; [`answer`] makes the text.
//! Nothing here counts or locks: all values come from [`Asked`].

mod connections;
mod server;
mod sessions;
pub mod text;

#[cfg(test)]
mod tests;

use std::sync::atomic::{AtomicI64, Ordering};

use crate::settings::{Settings, Words};
use crate::stats::{Facts, Mode};
use zk_tree::Mutant;

/// Apache's trace mask until `stmk` changes it.
// spec: CP-FLW-25
pub const DEFAULT_TRACE_MASK: i64 = 306;

const NOT_SERVING: &str = "This ZooKeeper instance is not currently serving requests";

/// A word that is known, whether or not it may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Word {
    Ruok,
    Srvr,
    Stat,
    Cons,
    Crst,
    Srst,
    Mntr,
    Conf,
    Envi,
    Dump,
    Wchs,
    Wchc,
    Wchp,
    Isro,
    Dirs,
    Hash,
    Gtmk,
    Stmk,
    /// What a telnet client sends at an interrupt.
    TelnetClose,
}

impl Word {
    pub const ALL: [Self; 19] = [
        Self::Ruok,
        Self::Srvr,
        Self::Stat,
        Self::Cons,
        Self::Crst,
        Self::Srst,
        Self::Mntr,
        Self::Conf,
        Self::Envi,
        Self::Dump,
        Self::Wchs,
        Self::Wchc,
        Self::Wchp,
        Self::Isro,
        Self::Dirs,
        Self::Hash,
        Self::Gtmk,
        Self::Stmk,
        Self::TelnetClose,
    ];

    /// The word that a connection begins with; None is a frame's length.
    // spec: CP-FLW-01, CP-FRM-04
    #[must_use]
    pub fn parse(first: [u8; 4]) -> Option<Self> {
        Self::ALL.into_iter().find(|word| word.bytes() == first)
    }

    const fn bytes(self) -> [u8; 4] {
        *match self {
            Self::Ruok => b"ruok",
            Self::Srvr => b"srvr",
            Self::Stat => b"stat",
            Self::Cons => b"cons",
            Self::Crst => b"crst",
            Self::Srst => b"srst",
            Self::Mntr => b"mntr",
            Self::Conf => b"conf",
            Self::Envi => b"envi",
            Self::Dump => b"dump",
            Self::Wchs => b"wchs",
            Self::Wchc => b"wchc",
            Self::Wchp => b"wchp",
            Self::Isro => b"isro",
            Self::Dirs => b"dirs",
            Self::Hash => b"hash",
            Self::Gtmk => b"gtmk",
            Self::Stmk => b"stmk",
            // spec: CP-FLW-05
            Self::TelnetClose => b"\xff\xf4\xff\xfd",
        }
    }

    /// As the whitelist names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ruok => "ruok",
            Self::Srvr => "srvr",
            Self::Stat => "stat",
            Self::Cons => "cons",
            Self::Crst => "crst",
            Self::Srst => "srst",
            Self::Mntr => "mntr",
            Self::Conf => "conf",
            Self::Envi => "envi",
            Self::Dump => "dump",
            Self::Wchs => "wchs",
            Self::Wchc => "wchc",
            Self::Wchp => "wchp",
            Self::Isro => "isro",
            Self::Dirs => "dirs",
            Self::Hash => "hash",
            Self::Gtmk => "gtmk",
            Self::Stmk => "stmk",
            Self::TelnetClose => "telnet close",
        }
    }

    /// How many bytes after the word belong to it.
    // spec: CP-FLW-26
    #[must_use]
    pub const fn argument_bytes(self) -> usize {
        match self {
            Self::Stmk => size_of::<i64>(),
            Self::Ruok
            | Self::Srvr
            | Self::Stat
            | Self::Cons
            | Self::Crst
            | Self::Srst
            | Self::Mntr
            | Self::Conf
            | Self::Envi
            | Self::Dump
            | Self::Wchs
            | Self::Wchc
            | Self::Wchp
            | Self::Isro
            | Self::Dirs
            | Self::Hash
            | Self::Gtmk
            | Self::TelnetClose => 0,
        }
    }

    // spec: CP-FLW-03. Clients look for a writable server by isro, and scripts for its mode by srvr.
    fn is_allowed(self, settings: &Settings) -> bool {
        let always = self == Self::Srvr || (self == Self::Isro && settings.read_only_mode);
        always
            || match &settings.four_letter_words {
                Words::All => true,
                Words::Only(listed) => listed.contains(self.name()),
            }
    }

    // spec: CP-FLW-06
    const fn needs_a_serving_server(self) -> bool {
        match self {
            Self::Ruok | Self::Envi | Self::Gtmk | Self::Stmk | Self::Isro | Self::TelnetClose => {
                false
            }
            Self::Srvr
            | Self::Stat
            | Self::Cons
            | Self::Crst
            | Self::Srst
            | Self::Mntr
            | Self::Conf
            | Self::Dump
            | Self::Wchs
            | Self::Wchc
            | Self::Wchp
            | Self::Dirs
            | Self::Hash => true,
        }
    }
}

/// What a server is and was started with: does not change while it runs.
#[derive(Debug)]
pub struct About {
    /// `<version>-<commit>, built on <date>`.
    pub version: String,
    /// Port of the plain client listener; None: there is none.
    pub client_port: Option<u16>,
    /// The folders that hold snapshots and logs, `version-2` included.
    pub data_dir: String,
    pub data_log_dir: String,
    /// As configured; -1 when not.
    pub client_backlog: i32,
    /// None when standalone.
    pub member: Option<Member>,
    /// `stmk` sets it, `gtmk` shows it, nothing obeys it.
    pub trace_mask: AtomicI64,
}

/// `conf`'s lines of an ensemble's member.
#[derive(Clone, Debug)]
pub struct Member {
    pub id: u64,
    pub init_limit_ticks: u32,
    pub sync_limit_ticks: u32,
    /// Each address's ports.
    pub election_ports: Vec<u16>,
    pub quorum_ports: Vec<u16>,
    pub observer: bool,
    /// The configuration text of the ensemble (CP-CFG-40).
    pub membership: String,
}

/// What only the host can see. Each call looks anew and may cost system calls, so a word calls only for what it shows.
pub trait Host {
    /// Keys and values of `envi`, in order.
    fn environment(&self) -> Vec<(&'static str, String)>;
    fn open_files(&self) -> u64;
    fn max_open_files(&self) -> u64;
    /// Bytes under the snapshot directory and under the log directory.
    fn directory_sizes(&self) -> (u64, u64);
}

/// Everything an answer is made of.
pub struct Asked<'a> {
    pub facts: &'a dyn Facts,
    pub settings: &'a Settings,
    pub about: &'a About,
    pub host: &'a dyn Host,
}

/// The answer to `word`; the connection closes after it. `argument` is what followed the word.
// spec: CP-FLW-02, CP-FLW-04
#[must_use]
pub fn answer(word: Word, argument: &[u8], asked: &Asked<'_>) -> String {
    if !word.is_allowed(asked.settings) {
        let name = word.name();
        return format!("{name} is not executed because it is not in the whitelist.\n");
    }
    if word.needs_a_serving_server() && asked.facts.mode() == Mode::NotServing {
        let end = if word == Word::Hash { "" } else { "\n" };
        return format!("{NOT_SERVING}{end}");
    }
    match word {
        Word::Conf | Word::Envi | Word::Dirs | Word::Hash if Mutant::ServerWordsEmpty.acts() => {
            String::new()
        }
        Word::Wchc | Word::Wchp if Mutant::WatchWordsEmpty.acts() => "\n".to_owned(),
        Word::Wchs if Mutant::WchsOfZeros.acts() => {
            "0 connections watching 0 paths\nTotal watches:0\n".to_owned()
        }
        Word::Gtmk if Mutant::GtmkInHex.acts() => {
            format!("{:x}", asked.about.trace_mask.load(Ordering::Relaxed))
        }
        // spec: CP-FLW-10
        Word::Ruok if Mutant::ImokLine.acts() => "imok\n".to_owned(),
        Word::Ruok => "imok".to_owned(),
        Word::Srvr => server::srvr(asked),
        Word::Stat => server::stat(asked),
        Word::Mntr => server::mntr(asked),
        Word::Conf => server::conf(asked),
        Word::Envi => server::envi(asked),
        Word::Dirs => server::dirs(asked),
        Word::Hash => server::hash(asked),
        Word::Cons => connections::cons(asked),
        Word::Dump => sessions::dump(asked),
        Word::Wchs => sessions::wchs(asked),
        Word::Wchc => sessions::wchc(asked),
        Word::Wchp => sessions::wchp(asked),
        // spec: CP-FLW-18
        Word::Crst => {
            asked.facts.reset_connections();
            "Connection stats reset.\n".to_owned()
        }
        // spec: CP-FLW-19
        Word::Srst => {
            asked.facts.reset_server();
            "Server stats reset.\n".to_owned()
        }
        Word::Isro if Mutant::IsroSaysReadOnly.acts() => isro(Mode::ReadOnly).to_owned(),
        Word::Isro => isro(asked.facts.mode()).to_owned(),
        // spec: CP-FLW-25
        Word::Gtmk => asked.about.trace_mask.load(Ordering::Relaxed).to_string(),
        Word::Stmk => set_trace_mask(argument, asked),
        Word::TelnetClose => String::new(),
    }
}

// spec: CP-FLW-23
const fn isro(mode: Mode) -> &'static str {
    match mode {
        Mode::NotServing => "null",
        Mode::ReadOnly => "ro",
        Mode::Standalone | Mode::Leader | Mode::Follower | Mode::Observer => "rw",
    }
}

// spec: CP-FLW-26. Without its eight bytes the word changes nothing and has no answer.
fn set_trace_mask(argument: &[u8], asked: &Asked<'_>) -> String {
    let Some(mask) = argument.first_chunk() else {
        return String::new();
    };
    let mask = i64::from_be_bytes(*mask);
    if Mutant::StmkSetsNothing.acts() {
        return mask.to_string();
    }
    asked.about.trace_mask.store(mask, Ordering::Relaxed);
    mask.to_string()
}
