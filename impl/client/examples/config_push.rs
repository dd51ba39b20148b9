//! Configuration push: many readers hold the newest version of one node without asking for it.
//!
//! `cargo run -p zk-client --example config_push -- 127.0.0.1:2181`

mod support;

use anyhow::{Result, ensure};
use zk_client::{Acl, CreateMode};

const READERS: usize = 5;
const VERSIONS: i32 = 10;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    support::run("config-push", |servers, root| async move {
        let writer = support::session(&servers).await?;
        let path = format!("{root}/config");
        writer
            .create(&path, b"version 0", &[Acl::open()], CreateMode::Persistent)
            .await?;
        let mut readers = Vec::new();
        for _ in 0..READERS {
            readers.push(tokio::spawn(follow(servers.clone(), path.clone())));
        }
        for version in 0..VERSIONS {
            let text = format!("version {}", version + 1);
            writer.set_data(&path, text.as_bytes(), version).await?;
        }
        for reader in readers {
            let seen = reader.await??;
            ensure!(
                seen.last() == Some(&VERSIONS),
                "a reader stopped at {seen:?}"
            );
            ensure!(seen.is_sorted(), "a reader went back in time: {seen:?}");
            println!("a reader saw versions {seen:?}");
        }
        writer.close().await?;
        Ok(())
    })
    .await
}

/// The versions that one reader saw. Some may be skipped, the last never.
async fn follow(servers: String, path: String) -> Result<Vec<i32>> {
    let client = support::session(&servers).await?;
    let mut seen = Vec::new();
    loop {
        let (_, stat, changed) = client.get_data_and_watch(&path).await?;
        seen.push(stat.version);
        if stat.version == VERSIONS {
            client.close().await?;
            return Ok(seen);
        }
        changed.wait().await?;
    }
}
