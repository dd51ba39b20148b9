//! Ensembles: concurrency over several servers, losses, partitions.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use super::ensure;
use super::sessions::pings_keep;
use crate::control::Control;
use crate::engine::Stop;
use crate::engine::cluster::{locate, mode};
use crate::engine::run::{Run, four_letters};
use crate::wire::reply::Reply;
use crate::wire::value::Value;

fn servers(run: &Run<'_>) -> Vec<SocketAddr> {
    run.target.servers.clone()
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

fn int(reply: &Reply, name: &str) -> i64 {
    let field = reply.fields.iter().find(|field| field.name == name);
    field.and_then(|field| field.value.int()).unwrap_or(-1)
}

/// spec: CP-PRE-01, CP-ORD-02. One thread a server; each adds one by reading the
/// version and writing with it, until it has won so often.
pub(super) fn cluster_increments(run: &mut Run<'_>) -> Result<(), Stop> {
    const WINS: i64 = 30;
    run.script("create ~/n")?;
    let path = format!("{}/n", run.vars.root);
    let servers = servers(run);
    let attempt = |address: SocketAddr| -> Result<(), Stop> {
        let mut control = Control::open(address)?;
        let mut wins = 0;
        while wins < WINS {
            let version = int(
                &control.call("getData", &[("path", text(&path))])?,
                "version",
            );
            let fields = [("path", text(&path)), ("version", Value::Int(version))];
            match control.call("setData", &fields)?.err {
                0 => wins += 1,
                -103 => {}
                err => return Err(Stop::Mismatch(format!("setData is answered {err}"))),
            }
        }
        control.close();
        Ok(())
    };
    at_once(&servers, attempt)?;
    let total = WINS * i64::try_from(servers.len()).unwrap_or_default();
    run.script(&format!("sync ~/n\nexists ~/n -> ok version={total}"))
}

/// spec: CP-PATH-10
pub(super) fn cluster_sequence(run: &mut Run<'_>) -> Result<(), Stop> {
    const EACH: usize = 50;
    let path = format!("{}/n-", run.vars.root);
    let servers = servers(run);
    let create = |address: SocketAddr| -> Result<(), Stop> {
        let mut control = Control::open(address)?;
        for _ in 0..EACH {
            let reply =
                control.call("create", &[("path", text(&path)), ("flags", Value::Int(2))])?;
            ensure(reply.err == 0, || {
                format!("create is answered {}", reply.err)
            })?;
        }
        control.close();
        Ok(())
    };
    at_once(&servers, create)?;
    let total = EACH * servers.len();
    let names: BTreeSet<String> = (0..total).map(|at| format!("n-{at:010}")).collect();
    let wanted = names.into_iter().collect::<Vec<_>>().join(",");
    run.script(&format!(
        "sync ~\ngetChildren ~ -> ok children={{{wanted}}}"
    ))
}

fn at_once(
    servers: &[SocketAddr],
    body: impl Fn(SocketAddr) -> Result<(), Stop> + Sync,
) -> Result<(), Stop> {
    let body = &body;
    std::thread::scope(|scope| {
        let threads: Vec<_> = servers
            .iter()
            .map(|address| scope.spawn(move || body(*address)))
            .collect();
        for thread in threads {
            thread
                .join()
                .map_err(|_| Stop::Harness("a thread panicked".into()))??;
        }
        Ok(())
    })
}

/// spec: CP-CON-06, CP-OP-07. Reads, moves on, presents what it has seen: the
/// next server closes or shows a version at least as new.
pub(super) fn cluster_monotonic_reads(run: &mut Run<'_>) -> Result<(), Stop> {
    const ROUNDS: usize = 12;
    let count = servers(run).len();
    run.script("w: connect on=1\nw: create ~/x\na: connect on=1")?;
    for round in 0..ROUNDS {
        let next = round % count + 1;
        run.script(&format!(
            "w: setData ~/x \"{round}\"\n\
             a: wait resume on={next} -> ok\n\
             a: wait exists ~/x -> ok\n\
             a: exists ~/x -> ok version=?v\n\
             a: exists ~/x -> ok version>=$v"
        ))?;
        if round > 0 {
            run.script("verify $v >= $last")?;
        }
        run.script("let $last = $v")?;
    }
    Ok(())
}

/// spec: CP-ORD-20
pub(super) fn cluster_sync_reads(run: &mut Run<'_>) -> Result<(), Stop> {
    let count = servers(run).len();
    run.script("w: connect on=1\nw: create ~/x")?;
    for server in 1..=count {
        run.script(&format!("s{server}: connect on={server}"))?;
    }
    for version in 1..=10 {
        run.script(&format!(
            "w: setData ~/x \"{version}\" -> ok version={version}"
        ))?;
        for server in 1..=count {
            run.script(&format!(
                "s{server}: sync ~/x\ns{server}: exists ~/x -> ok version={version}"
            ))?;
        }
    }
    Ok(())
}

/// spec: CP-SES-05
pub(super) fn cluster_pings(run: &mut Run<'_>) -> Result<(), Stop> {
    pings_keep(run, "on=follower")
}

/// spec: CP-ORD-20
pub(super) fn cluster_follower_catches_up(run: &mut Run<'_>) -> Result<(), Stop> {
    let down = number(run, "follower")?;
    run.script(&format!(
        "a: connect on=leader\na: create ~/before\nserver kill {down}"
    ))?;
    for at in 0..20 {
        run.script(&format!("a: create ~/n{at}"))?;
    }
    run.script(&format!(
        "a: delete ~/before\nserver start {down}\nserver settle all\n\
         b: wait 60s connect on={down} -> ok\nb: sync ~\nb: exists ~ -> ok numChildren=20\nb: exists ~/before -> NoNode"
    ))?;
    trees_are_equal(run)
}

/// spec: CP-FRM-11, CP-FLW-06
pub(super) fn cluster_without_quorum(run: &mut Run<'_>) -> Result<(), Stop> {
    let (one, two) = (number(run, "follower")?, number(run, "other")?);
    let left = number(run, "leader")?;
    run.script(&format!(
        "a: connect on={left} timeout=60000\na: create ~/x\nserver kill {one}\nserver kill {two}\na: closed\n\
         w: wait 60s connect on={left} -> closed"
    ))?;
    let answer = four_letters(
        servers(run).get(left - 1).copied().unwrap_or(run.home),
        b"srvr",
    )?;
    ensure(
        answer == "This ZooKeeper instance is not currently serving requests\n",
        || format!("without a quorum srvr says {answer:?}"),
    )?;
    run.script(&format!(
        "server start {one}\nserver start {two}\nserver settle all\n\
         a: wait 60s resume on={left} -> ok\na: exists ~/x -> ok\na: create ~/y"
    ))
}

/// spec: CP-SES-06
pub(super) fn cluster_rolling_restart(run: &mut Run<'_>) -> Result<(), Stop> {
    let count = servers(run).len();
    run.script("a: connect on=1 timeout=30000\na: create ~/e flags=1\nlet $id = $a.id")?;
    for server in 1..=count {
        let next = server % count + 1;
        run.script(&format!(
            "server stop {server}\na: wait 60s resume on={next} -> ok sessionId=$id\na: create ~/n{server}\n\
             server start {server}\nserver settle all"
        ))?;
        // Settling may have taken the place of the connection's server.
        run.script(&format!("a: wait 60s resume on={next} -> ok sessionId=$id"))?;
    }
    run.script(&format!(
        "a: sync ~\na: exists ~ -> ok numChildren={}\na: exists ~/e -> ok ephemeralOwner=$id",
        count + 1
    ))
}

/// spec: CP-ORD-21
pub(super) fn cluster_frozen_leader(run: &mut Run<'_>) -> Result<(), Stop> {
    let frozen = number(run, "leader")?;
    run.script(&format!(
        "a: connect on=leader\na: create ~/x \"1\"\nserver pause {frozen}\n\
         b: wait 60s connect on=leader -> ok\nb: sync ~\nb: getData ~/x -> ok data=\"1\"\n\
         b: setData ~/x \"2\"\nserver resume {frozen}\nserver settle all\n\
         c: wait 60s connect on={frozen} -> ok\nc: sync ~\nc: getData ~/x -> ok data=\"2\" version=1"
    ))?;
    trees_are_equal(run)
}

/// spec: CP-PRE-01. The write sent to the cut-off leader has no answer until the
/// others have a leader; then its connection is closed.
pub(super) fn cluster_isolated_leader(run: &mut Run<'_>) -> Result<(), Stop> {
    let old = number(run, "leader")?;
    run.script(&format!(
        "a: connect on={old} timeout=60000\na: create ~/x \"1\"\nserver isolate {old}\na: send setData ~/x \"lost\"\na: closed"
    ))?;
    let others: Vec<usize> = (1..=servers(run).len()).filter(|id| *id != old).collect();
    let other = others.first().copied().unwrap_or(1);
    run.script(&format!(
        "b: wait 60s connect on={other} -> ok\nb: sync ~\nb: getData ~/x -> ok data=\"1\"\nb: setData ~/x \"2\" -> ok version=1\n\
         server heal {old}\nserver settle all\n\
         c: wait 60s connect on={old} -> ok\nc: sync ~\nc: getData ~/x -> ok data=\"2\" version=1"
    ))?;
    trees_are_equal(run)
}

/// spec: CP-CON-23, CP-ORD-21. Cut off, the follower cannot know what a sync must wait for, so it answers none.
pub(super) fn cluster_isolated_follower(run: &mut Run<'_>) -> Result<(), Stop> {
    let cut = number(run, "follower")?;
    let leader = number(run, "leader")?;
    run.script(&format!(
        "a: connect on={cut} timeout=60000\na: create ~/e flags=1\nlet $id = $a.id\n\
         server isolate {cut}\na: send sync ~\na: closed\n\
         a: wait 60s resume on={leader} -> ok sessionId=$id\na: create ~/x\n\
         server heal {cut}\nserver settle all\n\
         b: wait 60s connect on={cut} -> ok\nb: sync ~\nb: exists ~/x -> ok\nb: exists ~/e -> ok ephemeralOwner=$id"
    ))?;
    trees_are_equal(run)
}

/// spec: CP-ORD-02
pub(super) fn cluster_trees_are_equal(run: &mut Run<'_>) -> Result<(), Stop> {
    let count = servers(run).len();
    for server in 1..=count {
        run.script(&format!("s{server}: connect on={server}"))?;
    }
    for round in 0..10 {
        let server = round % count + 1;
        mixed_writes(run, &format!("s{server}"), round)?;
    }
    trees_are_equal(run)
}

/// spec: CP-ORD-02, CP-PRE-02
pub(super) fn cluster_trees_are_equal_after_losses(run: &mut Run<'_>) -> Result<(), Stop> {
    for round in 0..3 {
        run.script("a: wait 60s connect on=leader -> ok")?;
        mixed_writes(run, "a", round)?;
        run.script("server kill leader\nserver settle all")?;
    }
    trees_are_equal(run)
}

fn mixed_writes(run: &mut Run<'_>, session: &str, round: usize) -> Result<(), Stop> {
    let lines = format!(
        "create ~/p{round} \"x\"\ncreate ~/p{round}/e flags=1\ncreate ~/p{round}/s- flags=2\n\
         setData ~/p{round} \"y\"\nsetData ~/p{round} \"z\" version=9 -> BadVersion\n\
         setACL ~/p{round} [31@world:anyone,1@ip:10.0.0.1]\ncreateContainer ~/p{round}/c\n\
         multi create ~/p{round}/m ; setData ~/p{round}/m \"1\" ; delete ~/p{round}/s-0000000001 -> create ; setData ; delete"
    );
    for line in lines.lines() {
        run.script(&format!("{session}: {line}"))?;
    }
    Ok(())
}

/// Every server shows the same znodes, data, ACLs and stats under the root.
fn trees_are_equal(run: &mut Run<'_>) -> Result<(), Stop> {
    let root = run.vars.root.clone();
    let mut trees: Vec<(SocketAddr, Vec<String>)> = Vec::new();
    // Nothing is written while the trees are read, so one sync on each is enough.
    for address in servers(run) {
        let mut control = Control::open(address)?;
        control.call("sync", &[("path", text("/"))])?;
        let mut lines = Vec::new();
        collect(&mut control, &root, &mut lines)?;
        control.close();
        trees.push((address, lines));
    }
    let Some((first, wanted)) = trees.first() else {
        return Ok(());
    };
    for (address, found) in &trees {
        let differs = wanted.iter().zip(found).find(|(left, right)| left != right);
        ensure(wanted.len() == found.len() && differs.is_none(), || {
            let count = (wanted.len(), found.len());
            format!("{first} and {address} differ: {differs:?}, znodes {count:?}")
        })?;
    }
    Ok(())
}

fn collect(control: &mut Control, path: &str, lines: &mut Vec<String>) -> Result<(), Stop> {
    let mut line = path.to_owned();
    for op in ["getData", "getACL"] {
        let reply = control.call(op, &[("path", text(path))])?;
        for field in &reply.fields {
            line = format!("{line} {field}");
        }
    }
    lines.push(line);
    let reply = control.call("getChildren", &[("path", text(path))])?;
    let Some(Value::List(children)) = reply.fields.into_iter().next().map(|field| field.value)
    else {
        return Ok(());
    };
    let mut names: Vec<String> = children
        .iter()
        .filter_map(|child| {
            child
                .bytes()
                .map(|bytes| String::from_utf8_lossy(bytes).into_owned())
        })
        .collect();
    names.sort();
    for name in names {
        collect(control, &format!("{path}/{name}"), lines)?;
    }
    Ok(())
}

/// spec: CP-FLW-11
pub(super) fn cluster_one_leader(run: &mut Run<'_>) -> Result<(), Stop> {
    let modes: Vec<String> = servers(run).iter().map(|address| mode(*address)).collect();
    let leaders = modes.iter().filter(|mode| *mode == "leader").count();
    ensure(leaders == 1, || format!("modes are {modes:?}"))
}

/// The number of the server that has a role now.
fn number(run: &Run<'_>, who: &str) -> Result<usize, Stop> {
    locate(&run.target.servers, who).map(|index| index + 1)
}
