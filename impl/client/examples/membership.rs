//! Cluster membership: each member is a node that goes with its session, and everybody
//! knows who is there.
//!
//! `cargo run -p zk-client --example membership -- 127.0.0.1:2181`

mod support;

use anyhow::{Result, ensure};
use zk_client::{Acl, Client, CreateMode};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    support::run("membership", |servers, root| async move {
        let watching = support::session(&servers).await?;
        let mut members = Vec::new();
        for name in ["ann", "bob", "cy"] {
            let member = support::session(&servers).await?;
            let path = format!("{root}/{name}");
            member
                .create(&path, b"", &[Acl::open()], CreateMode::Ephemeral)
                .await?;
            members.push(member);
            wait_for(&watching, &root, members.len()).await?;
        }
        // Changing servers is no reason to leave: the session goes along.
        members[0].reconnect().await?;
        let mine = members[0].ephemerals(&root).await?;
        ensure!(mine == [format!("{root}/ann")], "ann holds {mine:?}");
        while let Some(member) = members.pop() {
            member.close().await?;
            wait_for(&watching, &root, members.len()).await?;
        }
        watching.close().await?;
        Ok(())
    })
    .await
}

async fn wait_for(client: &Client, root: &str, count: usize) -> Result<()> {
    loop {
        let (names, changed) = client.get_children_and_watch(root).await?;
        if names.len() == count {
            println!("members: {names:?}");
            return Ok(());
        }
        changed.wait().await?;
    }
}
