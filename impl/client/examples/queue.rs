//! Distributed queue: producers append sequential nodes, consumers take the oldest; every
//! item is taken exactly once, because only one delete of a node succeeds.
//!
//! `cargo run -p zk-client --example queue -- 127.0.0.1:2181`

mod support;

use std::collections::BTreeSet;

use anyhow::{Result, ensure};
use zk_client::{Acl, Client, CreateMode, Error, ErrorCode};

const PRODUCERS: usize = 2;
const CONSUMERS: usize = 3;
const ITEMS: usize = 20;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    support::run("queue", |servers, root| async move {
        let mut tasks = Vec::new();
        for producer in 0..PRODUCERS {
            tasks.push(tokio::spawn(produce(
                servers.clone(),
                root.clone(),
                producer,
            )));
        }
        let mut consumers = Vec::new();
        for _ in 0..CONSUMERS {
            consumers.push(tokio::spawn(consume(servers.clone(), root.clone())));
        }
        for task in tasks {
            task.await??;
        }
        let client = support::session(&servers).await?;
        for _ in 0..CONSUMERS {
            put(&client, &root, "end").await?;
        }
        let mut taken = Vec::new();
        for consumer in consumers {
            let items = consumer.await??;
            println!("a consumer took {} items", items.len());
            taken.extend(items);
        }
        let different: BTreeSet<_> = taken.iter().collect();
        ensure!(
            taken.len() == PRODUCERS * ITEMS,
            "{} items came out",
            taken.len()
        );
        ensure!(different.len() == taken.len(), "an item came out twice");
        client.close().await?;
        Ok(())
    })
    .await
}

async fn produce(servers: String, root: String, producer: usize) -> Result<()> {
    let client = support::session(&servers).await?;
    for item in 0..ITEMS {
        put(&client, &root, &format!("{producer}/{item}")).await?;
    }
    client.close().await?;
    Ok(())
}

async fn put(client: &Client, root: &str, item: &str) -> Result<()> {
    let path = format!("{root}/item-");
    let mode = CreateMode::PersistentSequential;
    client
        .create(&path, item.as_bytes(), &[Acl::open()], mode)
        .await?;
    Ok(())
}

async fn consume(servers: String, root: String) -> Result<Vec<String>> {
    let client = support::session(&servers).await?;
    let mut items = Vec::new();
    loop {
        let (names, changed) = client.get_children_and_watch(&root).await?;
        let Some(item) = take_first(&client, &root, &names).await? else {
            changed.wait().await?;
            continue;
        };
        if item == "end" {
            client.close().await?;
            return Ok(items);
        }
        items.push(item);
    }
}

/// The oldest item that no other consumer got first.
async fn take_first(client: &Client, root: &str, names: &[String]) -> Result<Option<String>> {
    for name in names {
        let path = format!("{root}/{name}");
        let data = match client.get_data(&path).await {
            Ok((data, _)) => data,
            Err(Error::Server(ErrorCode::NoNode)) => continue,
            Err(error) => return Err(error.into()),
        };
        match client.delete(&path, -1).await {
            Ok(()) => return Ok(Some(String::from_utf8_lossy(&data).into_owned())),
            Err(Error::Server(ErrorCode::NoNode)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(None)
}
