//! Naming service: an instance registers its address under a name, as a node that goes with
//! its session; whoever looks the name up hears of every change.
//!
//! `cargo run -p zk-client --example naming -- 127.0.0.1:2181`

mod support;

use anyhow::{Result, ensure};
use zk_client::{Acl, AddWatchMode, Client, CreateMode, Watcher};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    support::run("naming", |servers, root| async move {
        let (first, second) = (
            support::session(&servers).await?,
            support::session(&servers).await?,
        );
        let mut directory = Directory::open(&servers, &root, "search").await?;
        register(&first, &root, "search", "10.0.0.1:80").await?;
        register(&second, &root, "search", "10.0.0.2:80").await?;
        directory.wait_for(&["10.0.0.1:80", "10.0.0.2:80"]).await?;
        println!("search is at {:?}", directory.addresses().await?);
        first.close().await?;
        directory.wait_for(&["10.0.0.2:80"]).await?;
        println!("one instance left, now {:?}", directory.addresses().await?);
        second.close().await?;
        Ok(())
    })
    .await
}

async fn register(client: &Client, root: &str, name: &str, address: &str) -> Result<()> {
    let folder = format!("{root}/{name}");
    support::make(client, &folder).await?;
    let path = format!("{folder}/instance-");
    let mode = CreateMode::EphemeralSequential;
    client
        .create(&path, address.as_bytes(), &[Acl::open()], mode)
        .await?;
    Ok(())
}

/// What somebody who uses the name sees of it.
struct Directory {
    client: Client,
    folder: String,
    changes: Watcher,
}

impl Directory {
    async fn open(servers: &str, root: &str, name: &str) -> Result<Self> {
        let client = support::session(servers).await?;
        let folder = format!("{root}/{name}");
        // The watch comes before the first look: no change falls between them.
        let changes = client
            .add_watch(&folder, AddWatchMode::PersistentRecursive)
            .await?;
        Ok(Self {
            client,
            folder,
            changes,
        })
    }

    async fn addresses(&self) -> Result<Vec<String>> {
        let mut addresses = Vec::new();
        if self.client.exists(&self.folder).await?.is_none() {
            return Ok(addresses);
        }
        for instance in self.client.get_children(&self.folder).await? {
            let path = format!("{}/{instance}", self.folder);
            // An instance may go between the list and the look.
            if let Ok((data, _)) = self.client.get_data(&path).await {
                addresses.push(String::from_utf8_lossy(&data).into_owned());
            }
        }
        addresses.sort();
        Ok(addresses)
    }

    async fn wait_for(&mut self, expected: &[&str]) -> Result<()> {
        while self.addresses().await? != expected {
            ensure!(self.changes.next().await.is_some(), "the watch ended");
        }
        Ok(())
    }
}
