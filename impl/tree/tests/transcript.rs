//! Scripted exchanges with the tree, readable without code: `tests/transcripts/*.txt` hold what is asked (`>`) and what
//! must come of it. `UPDATE_EXPECT=1 cargo test -p zk-tree --test transcript` writes the answers anew; read the diff.
//!
//! ```text
//! > 1 create /a x          session 1 asks; flags: -e -s -c (container) -t=MS -2 (create2), acl=PERMS:SCHEME:ID,...
//! > wait 50                time passes, ms
//! > hold | > go            proposed txns stay unapplied, until go
//! > multi 1 ... ; ...      several ops
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::path::Path;

use expect_test::expect_file;
use zk_proto::acl::Acls;
use zk_proto::request::{self, ReadPath, SetData, Versioned};
use zk_proto::{
    Acl, ErrorCode, Id, MultiOp, MultiResult, OpCode, Perms, Request, Response, Stat, TxnHeader,
    TxnRecord,
};
use zk_tree::auth::Digest;
use zk_tree::{
    Ask, PathOnly, Prep, Reader, Schemes, Settings, Tree, WatchKind, WatcherType, Watches, watch,
};

const EPOCH: i64 = 1_700_000_000_000;

struct Server {
    tree: Tree,
    prep: Prep,
    schemes: Schemes,
    watches: Watches,
    ids: [Vec<Id>; 4],
    zxid: i64,
    now: i64,
    hold: bool,
    proposed: VecDeque<(TxnRecord, PathOnly)>,
    out: String,
}

impl Server {
    fn new(settings: Settings) -> Self {
        let super_digest = Some("super:D/InIHSb7yEEbrWz8b9l71RjZJU=".to_string());
        Self {
            tree: Tree::new(settings),
            prep: Prep::new(),
            schemes: Schemes::new(Some(Digest {
                super_digest,
                ..Digest::default()
            })),
            watches: Watches::new(),
            ids: std::array::from_fn(|session| vec![Id::new("ip", format!("10.0.0.{session}"))]),
            zxid: 0,
            now: 0,
            hold: false,
            proposed: VecDeque::new(),
            out: String::new(),
        }
    }

    fn say(&mut self, line: impl AsRef<str>) {
        writeln!(self.out, "  {}", line.as_ref()).unwrap();
    }

    fn run(&mut self, line: &str) {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["wait", ms] => self.now += ms.parse::<i64>().unwrap(),
            ["hold"] => self.hold = true,
            ["go"] => {
                self.hold = false;
                self.catch_up();
            }
            ["unused", never_used_ms] => {
                let unused = self
                    .tree
                    .unused(EPOCH + self.now, never_used_ms.parse().unwrap(), 10);
                self.say(format!("{unused:?}"));
            }
            ["tree"] => {
                let line = format!(
                    "zxid {}, {} znodes, {} bytes, {} ephemerals, {} sessions, digest {}",
                    self.tree.last_zxid(),
                    self.tree.node_count(),
                    self.tree.approximate_data_size(),
                    self.tree.ephemeral_count(),
                    self.tree.session_count(),
                    self.tree.digest()
                );
                self.say(line);
            }
            ["purge", path] => self.write(0, &Request::DeleteContainer { path: path.into() }),
            [session, "auth", scheme, credential] => {
                let answer = self
                    .schemes
                    .authenticate(scheme, Some(credential.as_bytes()));
                self.say(format!("{answer:?}"));
                self.ids[number(session)].extend(answer.into_iter().flatten());
            }
            [session, "watch", mode, path] => {
                let kind = if mode == "recursive" {
                    WatchKind::Recursive
                } else {
                    WatchKind::Persistent
                };
                self.watches.add(number(session) as u64, path, kind);
            }
            [session, "unwatch", code, path] => {
                let which = WatcherType::from_code(code.parse().unwrap()).unwrap();
                let found = self.watches.remove(number(session) as u64, path, which);
                self.say(if found { "ok" } else { "NoWatcher" });
            }
            [session, "reconfig", text] => {
                self.propose(
                    number(session),
                    PathOnly::default(),
                    |prep, tree, schemes, ask| prep.reconfig(tree, schemes, ask, text.as_bytes()),
                );
            }
            ["multi", session, ..] => {
                let (_, ops) = line.split_once(session).unwrap();
                let ops: Vec<String> = ops.split(';').map(|op| op.trim().to_string()).collect();
                let ops = ops
                    .iter()
                    .map(|op| part(&op.split_whitespace().collect::<Vec<_>>()))
                    .collect();
                self.write(number(session), &Request::Multi(ops));
            }
            [session, op, ..] => {
                let request = request(op, &words[2..]);
                match request.op() {
                    OpCode::Exists
                    | OpCode::GetData
                    | OpCode::GetAcl
                    | OpCode::GetChildren2
                    | OpCode::GetAllChildrenNumber
                    | OpCode::GetEphemerals
                    | OpCode::WhoAmI => self.read(number(session), &request),
                    _ => self.write(number(session), &request),
                }
            }
            _ => panic!("{line}"),
        }
    }

    fn write(&mut self, session: usize, request: &Request<'_>) {
        let path_only = match request {
            Request::Multi(ops) => PathOnly::of(ops),
            _ => PathOnly::default(),
        };
        self.propose(session, path_only, |prep, tree, schemes, ask| {
            prep.prepare(tree, schemes, ask, request)
        });
    }

    fn propose(
        &mut self,
        session: usize,
        path_only: PathOnly,
        make: impl FnOnce(&mut Prep, &Tree, &Schemes, &Ask<'_>) -> TxnRecord,
    ) {
        self.zxid += 1;
        let header = TxnHeader {
            session_id: 0x100 + session as i64,
            cxid: 0,
            zxid: self.zxid,
            time: EPOCH + self.now,
        };
        let ask = Ask {
            header,
            ids: &self.ids[session],
            session: Ok(()),
            global_session: Ok(()),
        };
        let record = make(&mut self.prep, &self.tree, &self.schemes, &ask);
        self.proposed.push_back((record, path_only));
        if !self.hold {
            self.catch_up();
        }
    }

    fn catch_up(&mut self) {
        while let Some((record, path_only)) = self.proposed.pop_front() {
            let mut triggers = Vec::new();
            let mut answer = self.tree.apply(&record.header, &record.txn, &mut triggers);
            if let Ok(response) = &mut answer {
                path_only.narrow(response);
            }
            let answer = show_answer(&answer);
            for trigger in &triggers {
                let (tree, ids, schemes) = (&self.tree, &self.ids, &self.schemes);
                self.watches.trigger(trigger, |event, connections| {
                    for connection in connections {
                        let may = tree.permits(
                            event.acl,
                            Perms::READ,
                            schemes,
                            &ids[*connection as usize],
                        );
                        let filtered = if may { "" } else { " (filtered)" };
                        writeln!(
                            self.out,
                            "  -> {connection}: {:?} {}{filtered}",
                            event.kind, event.path
                        )
                        .unwrap();
                    }
                });
            }
            self.prep.applied(record.header.zxid);
            if let Some(digest) = record.digest {
                assert_eq!(digest.tree.cast_unsigned(), self.tree.digest());
            }
            self.say(format!("{}: {answer}", record.header.zxid));
        }
    }

    fn read(&mut self, session: usize, request: &Request<'_>) {
        let ids = self.ids[session].clone();
        let reader = Reader {
            schemes: &self.schemes,
            ids: &ids,
            session: 0x100 + session as i64,
        };
        let mut body = Vec::new();
        let answer = self.tree.read(request, &reader, &mut body);
        if let Some((path, kind)) = watch::wanted(request, answer) {
            self.watches.add(session as u64, path, kind);
        }
        let answer = answer.map(|()| Response::decode(request.op(), &body).unwrap());
        self.say(show_answer(&answer.map_err(ErrorCode::code)));
    }
}

fn number(session: &str) -> usize {
    session.parse().unwrap()
}

fn request<'a>(op: &'a str, words: &[&'a str]) -> Request<'a> {
    let path = || {
        let path = words
            .iter()
            .find(|word| !is_flag(word))
            .copied()
            .unwrap_or_default();
        unquoted(path).into()
    };
    let watch = words.contains(&"-w");
    match op {
        "exists" => Request::Exists(ReadPath {
            path: path(),
            watch,
        }),
        "get" => Request::GetData(ReadPath {
            path: path(),
            watch,
        }),
        "ls" => Request::GetChildren2(ReadPath {
            path: path(),
            watch,
        }),
        "getacl" => Request::GetAcl { path: path() },
        "below" => Request::GetAllChildrenNumber { path: path() },
        "ephemerals" => Request::GetEphemerals {
            prefix: Some(path()),
        },
        "whoami" => Request::WhoAmI,
        "setacl" => Request::SetAcl {
            path: path(),
            acl: acls(words),
            version: -1,
        },
        "open" => Request::CreateSession { timeout: 4000 },
        "close" => Request::CloseSession,
        _ => match part(&[&[op], words].concat()) {
            MultiOp::Create(body) => Request::Create(body),
            MultiOp::Create2(body) => Request::Create2(body),
            MultiOp::CreateContainer(body) => Request::CreateContainer(body),
            MultiOp::CreateTtl(body, ttl) => Request::CreateTtl(body, ttl),
            MultiOp::Delete(body) => Request::Delete(body),
            MultiOp::SetData(body) => Request::SetData(body),
            other => panic!("{other:?}"),
        },
    }
}

fn unquoted(word: &str) -> &str {
    if word == "\"\"" { "" } else { word }
}

fn is_flag(word: &str) -> bool {
    word.starts_with('-') || word.starts_with("acl=")
}

/// One op that a multi may hold. `""` is the empty path, `v=N` a version.
fn part<'a>(words: &[&'a str]) -> MultiOp<'a> {
    let plain: Vec<&str> = words[1..]
        .iter()
        .copied()
        .filter(|word| !is_flag(word) && !word.starts_with("v="))
        .collect();
    let path = if plain[0] == "\"\"" { "" } else { plain[0] };
    let data = plain.get(1).map(|data| data.as_bytes());
    let version = words
        .iter()
        .find_map(|word| word.strip_prefix("v="))
        .map_or(-1, |version| version.parse().unwrap());
    let has = |flag| words.contains(&flag);
    let ttl = words
        .iter()
        .find_map(|word| word.strip_prefix("-t="))
        .map(|ttl| ttl.parse::<i64>().unwrap());
    let flags = match ttl {
        Some(_) => 5 + i32::from(has("-s")),
        None if has("-c") => 4,
        None => i32::from(has("-e")) + 2 * i32::from(has("-s")),
    };
    let create = || request::Create {
        path: path.into(),
        data,
        acl: acls(words),
        flags,
    };
    match words[0] {
        "create" => match ttl {
            Some(ttl) => MultiOp::CreateTtl(create(), ttl),
            None if has("-c") => MultiOp::CreateContainer(create()),
            None if has("-2") => MultiOp::Create2(create()),
            None => MultiOp::Create(create()),
        },
        "delete" => MultiOp::Delete(Versioned {
            path: path.into(),
            version,
        }),
        "set" => MultiOp::SetData(SetData {
            path: path.into(),
            data,
            version,
        }),
        "check" => MultiOp::Check(Versioned {
            path: path.into(),
            version,
        }),
        other => panic!("{other}"),
    }
}

fn acls(words: &[&str]) -> Option<Acls<'static>> {
    let Some(list) = words.iter().find_map(|word| word.strip_prefix("acl=")) else {
        return Some([Acl::open()].iter().collect());
    };
    let grant = |text: &str| {
        let mut parts = text.splitn(3, ':');
        let perms = parts.next().unwrap().parse().unwrap();
        Acl::new(Perms(perms), parts.next().unwrap(), parts.next().unwrap())
    };
    let list: Vec<Acl> = list
        .split(',')
        .filter(|text| !text.is_empty())
        .map(grant)
        .collect();
    Some(list.iter().collect())
}

fn show_code(code: i32) -> String {
    ErrorCode::from_code(code).map_or_else(|| code.to_string(), |code| format!("{code:?}"))
}

fn show_text(data: Option<&[u8]>) -> String {
    data.map_or("null".into(), |data| {
        format!("{:?}", String::from_utf8_lossy(data))
    })
}

/// Zxids as they are, times from the start, then versions, owner, length, children.
fn show_stat(stat: &Stat) -> String {
    let since = |time: i64| if time == 0 { 0 } else { time - EPOCH };
    format!(
        "c{} m{} p{} ctime {} mtime {} version {} cversion {} aversion {} owner {:#x} length {} children {}",
        stat.czxid,
        stat.mzxid,
        stat.pzxid,
        since(stat.ctime),
        since(stat.mtime),
        stat.version,
        stat.cversion,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

fn show_answer(answer: &Result<Response<'_>, i32>) -> String {
    match answer {
        Err(code) => show_code(*code),
        Ok(Response::Empty) => "ok".into(),
        Ok(Response::Path(path)) => path.to_string(),
        Ok(Response::PathStat(path, stat)) => format!("{path} {}", show_stat(stat)),
        Ok(Response::Stat(stat)) => show_stat(stat),
        Ok(Response::Data(data, stat)) => format!("{} {}", show_text(*data), show_stat(stat)),
        Ok(Response::ChildrenStat(names, stat)) => {
            let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            names.sort();
            format!("{names:?} {}", show_stat(stat))
        }
        Ok(Response::Children(names)) => {
            let mut names: Vec<String> = names.iter().map(|name| name.to_string()).collect();
            names.sort();
            format!("{names:?}")
        }
        Ok(Response::Acl(acl, stat)) => {
            let grants: Vec<String> = acl
                .iter()
                .map(|grant| format!("{}:{}:{}", grant.perms.0, grant.id.scheme, grant.id.id))
                .collect();
            format!("{} {}", grants.join(","), show_stat(stat))
        }
        Ok(Response::Count(count)) => count.to_string(),
        Ok(Response::ClientInfo(infos)) => infos
            .iter()
            .map(|info| format!("{}:{}", info.scheme, info.user))
            .collect::<Vec<_>>()
            .join(" "),
        Ok(Response::Multi(results)) => {
            let show = |result: &MultiResult<'_>| match result {
                MultiResult::Create { path } => path.to_string(),
                MultiResult::Create2 { path, stat } => format!("{path} {}", show_stat(stat)),
                MultiResult::Delete => "deleted".into(),
                MultiResult::Check => "checked".into(),
                MultiResult::SetData(stat) => show_stat(stat),
                MultiResult::Error(code) => show_code(*code),
                MultiResult::Children(_) | MultiResult::Data { .. } => panic!("{result:?}"),
            };
            results.iter().map(show).collect::<Vec<_>>().join(" | ")
        }
        Ok(other) => format!("{other:?}"),
    }
}

/// Runs a transcript and returns it with the answers as they came.
fn replay(text: &str) -> String {
    let mut settings = Settings::default();
    for word in text
        .lines()
        .filter_map(|line| line.strip_prefix("! "))
        .flat_map(str::split_whitespace)
    {
        match word {
            "extended-types" => settings.extended_types = true,
            "enforce-quota" => settings.enforce_quota = true,
            "small-txns" => settings.max_txn_bytes = 300,
            "skip-acl" => settings.skip_acl = true,
            other => panic!("{other}"),
        }
    }
    let mut server = Server::new(settings);
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        writeln!(server.out, "{line}").unwrap();
        if let Some(command) = line.strip_prefix("> ") {
            server.run(command);
        }
    }
    server.out
}

fn check(name: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/transcripts")
        .join(name);
    let text = std::fs::read_to_string(&path).unwrap();
    expect_file![path].assert_eq(&replay(&text));
}

// spec: CP-TREE-01, CP-TREE-03, CP-TREE-05, CP-TREE-10, CP-TREE-20, CP-TREE-21, CP-TREE-22, CP-TREE-23, CP-TREE-27
// spec: CP-TREE-29, CP-TREE-13, CP-OP-29, CP-PATH-10, CP-PATH-11, CP-PATH-12, CP-PRE-27, CP-PRE-29
#[test]
fn numbers() {
    check("numbers.txt");
}

// spec: CP-PRE-20, CP-PRE-21, CP-PRE-22, CP-PRE-23, CP-PRE-24, CP-PRE-25, CP-PRE-26, CP-PRE-28, CP-TREE-04
#[test]
fn order_of_checks() {
    check("order-of-checks.txt");
}

// spec: CP-EPH-01, CP-EPH-02, CP-EPH-03, CP-EPH-04, CP-EPH-06, CP-SES-11, CP-SES-14, CP-OP-28, CP-TREE-12, QP-DEF-21
#[test]
fn ephemerals() {
    check("ephemerals.txt");
}

// spec: CP-EPH-10, CP-EPH-11, CP-EPH-20, CP-EPH-21, CP-EPH-22, CP-EPH-23, CP-EPH-24, CP-OP-21, CP-OP-22, CP-GAP-08
#[test]
fn containers_and_ttl() {
    check("containers-and-ttl.txt");
}

// spec: CP-MUL-03, CP-MUL-04, CP-MUL-05, CP-MUL-06, CP-MUL-07, CP-MUL-08, CP-MUL-11, CP-MUL-13, CP-PATH-14, CP-QUO-07
#[test]
fn multi() {
    check("multi.txt");
}

// spec: CP-ACL-01, CP-ACL-02, CP-ACL-03, CP-ACL-10, CP-ACL-11, CP-ACL-12, CP-ACL-15, CP-ACL-20, CP-ACL-30, CP-OP-26
// spec: CP-OP-33, CP-AUTH-02, CP-AUTH-05, CP-AUTH-07, CP-CFG-42, CP-OP-38, CP-GAP-16, FT-CON-19, P-AUTH
#[test]
fn acl() {
    check("acl.txt");
}

// spec: CP-QUO-01, CP-QUO-02, CP-QUO-03, CP-QUO-04, CP-QUO-05, CP-QUO-06, CP-QUO-08, CP-QUO-09, CP-TREE-26, CP-WAT-13
#[test]
fn quotas() {
    check("quotas.txt");
}

// spec: CP-WAT-02, CP-WAT-05, CP-WAT-10, CP-WAT-11, CP-WAT-12, CP-WAT-13, CP-WAT-15, CP-WAT-16, CP-WAT-17, CP-WAT-18
// spec: CP-WAT-19, CP-WAT-20, CP-WAT-21, CP-WAT-33, CP-AUTH-16, CP-GAP-14
#[test]
fn watches() {
    check("watches.txt");
}
