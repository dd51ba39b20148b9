//! The server's own znodes and what it says about itself.

use super::ensure;
use crate::engine::Stop;
use crate::engine::run::{Run, four_letters};
use crate::wire::value::Value;

pub(super) fn srvr_zxid(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("create ~/a -> ok zxid=?z")?;
    let wrote = run.vars.number("$z")?;
    let answer = four_letters(run.home, b"srvr")?;
    let line = answer
        .lines()
        .find_map(|line| line.strip_prefix("Zxid: 0x"));
    let shown = line.and_then(|hex| i64::from_str_radix(hex, 16).ok());
    ensure(shown.is_some_and(|shown| shown >= wrote), || {
        format!("after zxid {wrote:#x} srvr says {line:?}")
    })
}

/// spec: CP-FLW-20. Other cases watch meanwhile, so what this one adds is a lower bound.
pub(super) fn wchs_counts(run: &mut Run<'_>) -> Result<(), Stop> {
    for at in 0..3 {
        run.script(&format!(
            "create ~/{at}\na: getData ~/{at} watch=true\nb: exists ~/{at} watch=true"
        ))?;
    }
    let (connections, paths, watches) = wchs(run)?;
    ensure(connections >= 2 && paths >= 3 && watches >= 6, || {
        format!("two sessions watch three znodes; wchs counts {connections}, {paths}, {watches}")
    })
}

/// Connections, paths and watches, as `wchs` counts them.
fn wchs(run: &Run<'_>) -> Result<(u64, u64, u64), Stop> {
    let answer = four_letters(run.home, b"wchs")?;
    let numbers: Vec<u64> = answer
        .split(|c: char| !c.is_ascii_digit())
        .filter_map(|text| text.parse().ok())
        .collect();
    match numbers[..] {
        [connections, paths, watches] => Ok((connections, paths, watches)),
        _ => Err(Stop::Mismatch(format!("wchs answers {answer:?}"))),
    }
}

/// spec: CP-FLW-26, CP-FLW-25. The mask is the server's, so it is set back, whatever was answered.
pub(super) fn stmk_sets_the_mask(run: &mut Run<'_>) -> Result<(), Stop> {
    const DEFAULT: u64 = 306;
    const OTHER: u64 = 310;
    let before = four_letters(run.home, b"gtmk")?;
    let set = |mask: u64| {
        let mut word = b"stmk".to_vec();
        word.extend_from_slice(&mask.to_be_bytes());
        four_letters(run.home, &word)
    };
    let answers = [set(OTHER)?, four_letters(run.home, b"gtmk")?];
    let back = set(before.parse().unwrap_or(DEFAULT))?;
    ensure(
        answers.iter().all(|answer| *answer == OTHER.to_string()),
        || format!("stmk {OTHER} and gtmk after it answer {answers:?}"),
    )?;
    ensure(back == before, || {
        format!("stmk {before} is answered {back:?}")
    })
}

/// spec: CP-CFG-40
pub(super) fn config_text(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("getData /zookeeper/config -> ok data=?text version=-1")?;
    let text = match run.vars.values.get("text") {
        Some(Value::Bytes(bytes)) => String::from_utf8_lossy(bytes).into_owned(),
        other => return Err(Stop::Mismatch(format!("no text: {other:?}"))),
    };
    let mut lines: Vec<&str> = text.split('\n').collect();
    let version = lines.pop().unwrap_or_default();
    ensure(version.starts_with("version="), || {
        format!("the last line is {version:?}")
    })?;
    let server = |line: &&str| {
        let Some((name, address)) = line.split_once('=') else {
            return false;
        };
        let fields = address
            .split(';')
            .next()
            .unwrap_or_default()
            .split(':')
            .count();
        name.starts_with("server.") && fields >= 4
    };
    ensure(lines.len() >= 2 && lines.iter().all(server), || {
        format!("the configuration is {text:?}")
    })
}

pub(super) fn reconfig_standalone(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("send reconfig leaving=9")?;
    let reply = run.next_reply("a")?;
    ensure(matches!(reply.err, -6 | -123), || {
        format!("reconfig is answered {}", reply.err)
    })?;
    run.script("quiet")
}

/// spec: CP-TREE-04. The znode's name is this case's own.
pub(super) fn children_of_zookeeper(run: &mut Run<'_>) -> Result<(), Stop> {
    let name = run.vars.root.trim_start_matches('/').to_owned();
    run.script(&format!(
        "create /zookeeper/quota/{name} -> ok\nsetData /zookeeper/quota/{name} x -> ok version=1\n\
         delete /zookeeper/quota/{name} -> ok"
    ))
}
