//! Exclusive and shared locks: each wish is a sequential node that goes with its session; a
//! writer waits for the wish just before its own, a reader for the last writer before it.
//!
//! `cargo run -p zk-client --example locks -- 127.0.0.1:2181`

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use zk_client::{Acl, Client, CreateMode};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Exclusive,
    Shared,
}

impl Kind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Exclusive => "write-",
            Self::Shared => "read-",
        }
    }
}

/// Who is inside: -1 is a writer, a positive number counts readers.
type Inside = Arc<AtomicI32>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    support::run("locks", |servers, root| async move {
        let inside = Inside::default();
        let mut tasks = Vec::new();
        for n in 0..9 {
            let kind = if n % 3 == 0 {
                Kind::Exclusive
            } else {
                Kind::Shared
            };
            tasks.push(tokio::spawn(work(
                servers.clone(),
                root.clone(),
                kind,
                Arc::clone(&inside),
            )));
        }
        for task in tasks {
            task.await??;
        }
        abandon(&servers, &root).await
    })
    .await
}

async fn work(servers: String, root: String, kind: Kind, inside: Inside) -> Result<()> {
    let client = support::session(&servers).await?;
    let lock = acquire(&client, &root, kind).await?;
    match kind {
        Kind::Exclusive => {
            let before = inside.swap(-1, Ordering::SeqCst);
            ensure!(before == 0, "a writer found {before} inside");
        }
        Kind::Shared => {
            let before = inside.fetch_add(1, Ordering::SeqCst);
            ensure!(before >= 0, "a reader found a writer inside");
        }
    }
    // Being inside takes a while, so that others would be seen.
    tokio::time::sleep(Duration::from_millis(20)).await;
    match kind {
        Kind::Exclusive => inside.store(0, Ordering::SeqCst),
        Kind::Shared => drop(inside.fetch_sub(1, Ordering::SeqCst)),
    }
    println!("{kind:?} lock held and released: {lock}");
    client.delete(&lock, -1).await?;
    client.close().await?;
    Ok(())
}

/// The path of the wish, once it is granted.
async fn acquire(client: &Client, root: &str, kind: Kind) -> Result<String> {
    let wish = format!("{root}/{}", kind.prefix());
    let mode = CreateMode::EphemeralSequential;
    let mine = client.create(&wish, b"", &[Acl::open()], mode).await?;
    loop {
        let wishes = client.get_children(root).await?;
        let Some(blocker) = blocker(&wishes, number(&mine), kind) else {
            return Ok(mine);
        };
        let (stat, gone) = client
            .exists_and_watch(&format!("{root}/{blocker}"))
            .await?;
        if stat.is_some() {
            gone.wait().await?;
        }
    }
}

/// The nearest earlier wish that stands in the way: watching only that one wakes nobody in vain.
fn blocker(wishes: &[String], mine: u64, kind: Kind) -> Option<&String> {
    let in_the_way = |wish: &&String| {
        number(wish) < mine && (kind == Kind::Exclusive || wish.starts_with("write-"))
    };
    wishes
        .iter()
        .filter(in_the_way)
        .max_by_key(|wish| number(wish))
}

/// The sequence number at the end of a node's name.
fn number(path: &str) -> u64 {
    let digits = path.rsplit('-').next();
    digits
        .and_then(|digits| digits.parse().ok())
        .unwrap_or(u64::MAX)
}

/// A holder that goes away without releasing does not keep the lock.
async fn abandon(servers: &str, root: &str) -> Result<()> {
    let (first, second) = (
        support::session(servers).await?,
        support::session(servers).await?,
    );
    acquire(&first, root, Kind::Exclusive).await?;
    let waiting = tokio::spawn({
        let (second, root) = (second.clone(), root.to_owned());
        async move { acquire(&second, &root, Kind::Exclusive).await }
    });
    first.close().await?;
    let lock = waiting.await?.context("the second in line")?;
    println!("the holder's session ended, and the lock went on: {lock}");
    second.close().await?;
    Ok(())
}
