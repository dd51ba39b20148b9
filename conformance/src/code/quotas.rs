//! Quotas: their znodes lie under `/zookeeper/quota` followed by the whole path
//! of the subtree, so each level is made first.

use crate::engine::Stop;
use crate::engine::run::Run;

/// `~/q` with one child of 3 bytes, and the parents of its quota znodes.
fn prepare(run: &mut Run<'_>) -> Result<(), Stop> {
    run.script("create ~/q\ncreate ~/q/a \"abc\"")?;
    let root = run.vars.root.clone();
    let mut path = String::from("/zookeeper/quota");
    for part in root.split('/').filter(|part| !part.is_empty()).chain(["q"]) {
        path = format!("{path}/{part}");
        run.script(&format!("create {path}"))?;
    }
    Ok(())
}

fn limit(run: &mut Run<'_>, text: &str) -> Result<(), Stop> {
    prepare(run)?;
    run.script(&format!(
        "let $Q = /zookeeper/quota{}/q\ncreate $Q/zookeeper_limits \"{text}\"\ncreate $Q/zookeeper_stats \"count=0,bytes=0\"",
        run.vars.root
    ))
}

/// spec: CP-QUO-03. The stats as canonical text.
fn stats(run: &mut Run<'_>, count: u32, bytes: u32) -> Result<(), Stop> {
    run.script(&format!(
        "getData $Q/zookeeper_stats -> ok data=\"count={count},bytes={bytes}\""
    ))
}

pub(super) fn quota_counts_what_is_there(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, "count=100,bytes=1000")?;
    stats(run, 2, 3)
}

pub(super) fn quota_follows_changes(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, "count=100,bytes=1000")?;
    run.script("create ~/q/b \"12345\"")?;
    stats(run, 3, 8)?;
    run.script("setData ~/q/b \"1\"")?;
    stats(run, 3, 4)?;
    run.script("delete ~/q/a")?;
    stats(run, 2, 1)
}

pub(super) fn quota_stats_change_in_silence(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, "count=100,bytes=1000")?;
    run.script(
        "getData $Q/zookeeper_stats watch=true -> ok version=?v mzxid=?m pzxid=?p\n\
         create ~/q/b \"12345678901\"\nquiet\n\
         exists $Q/zookeeper_stats -> ok version=$v mzxid=$m pzxid=$p dataLength=16",
    )
}

pub(super) fn quota_ends_with_its_limits(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, "count=100,bytes=1000")?;
    run.script("delete $Q/zookeeper_limits\ncreate ~/q/b \"12345\"")?;
    stats(run, 2, 3)
}

pub(super) fn quota_is_by_component(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, "count=100,bytes=1000")?;
    run.script("create ~/qq\ncreate ~/qq/x \"12345\"")?;
    stats(run, 2, 3)
}

pub(super) fn soft_quota_refuses_nothing(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, "count=2,bytes=3")?;
    run.script("create ~/q/b \"12345\"\ncreate ~/q/c\nsetData ~/q/a \"longer\"")?;
    stats(run, 4, 11)
}

const HARD_COUNT: &str = "count=-1,bytes=-1=;byteHardLimit=-1;countHardLimit=3";
const HARD_BYTES: &str = "count=-1,bytes=-1=;byteHardLimit=5;countHardLimit=-1";

pub(super) fn hard_count_refuses_creates(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, HARD_COUNT)?;
    run.script(
        "create ~/q/b\ncreate ~/q/c -> QuotaExceeded\ncreate2 ~/q/c -> QuotaExceeded\n\
         exists ~/q/c -> NoNode\nsetData ~/q/a \"longer than before\" -> ok",
    )
}

pub(super) fn hard_bytes_refuse_growth(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, HARD_BYTES)?;
    run.script(
        "setData ~/q/a \"123456\" -> QuotaExceeded\nsetData ~/q/a \"12345\" -> ok\n\
         create ~/q/b \"1\" -> QuotaExceeded\ncreate ~/q/b -> ok\nsetData ~/q/a \"1\" -> ok",
    )
}

pub(super) fn quota_is_checked_before_the_version(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, HARD_BYTES)?;
    run.script("setData ~/q/a \"123456\" version=9 -> QuotaExceeded\nsetData ~/q/a \"1\" version=9 -> BadVersion")
}

pub(super) fn delete_makes_room(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, HARD_COUNT)?;
    run.script("create ~/q/b\ncreate ~/q/c -> QuotaExceeded\ndelete ~/q/b\ncreate ~/q/c -> ok")
}

pub(super) fn quota_fails_a_multi(run: &mut Run<'_>) -> Result<(), Stop> {
    limit(run, HARD_COUNT)?;
    run.script("create ~/q/b\nmulti check ~/q ; create ~/q/c -> fails 1 QuotaExceeded")
}
