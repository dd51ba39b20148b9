//! Master election: the candidate with the lowest number leads; each other one watches only
//! the candidate before it, so that a leader's end wakes one and not all.
//!
//! `cargo run -p zk-client --example election -- 127.0.0.1:2181`

mod support;

use anyhow::{Context, Result, ensure};
use tokio::sync::mpsc;
use zk_client::{Acl, Client, CreateMode};

const CANDIDATES: usize = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    support::run("election", |servers, root| async move {
        let (elected, mut leaders) = mpsc::channel::<Candidate>(1);
        for name in 0..CANDIDATES {
            let client = support::session(&servers).await?;
            let candidate = Candidate::stand(client, &root, name).await?;
            tokio::spawn(candidate.wait_to_lead(root.clone(), elected.clone()));
        }
        let mut led = Vec::new();
        while led.len() < CANDIDATES {
            let Candidate { client, name, .. } =
                leaders.recv().await.context("no candidate left")?;
            let leading = client.get_children(&root).await?.len();
            ensure!(
                leading == CANDIDATES - led.len(),
                "{leading} candidates are left"
            );
            println!("candidate {name} leads {} others, and resigns", leading - 1);
            led.push(name);
            client.close().await?;
        }
        led.sort_unstable();
        ensure!(led == [0, 1, 2, 3], "not everybody led once: {led:?}");
        Ok(())
    })
    .await
}

struct Candidate {
    client: Client,
    name: usize,
    node: String,
}

impl Candidate {
    async fn stand(client: Client, root: &str, name: usize) -> Result<Self> {
        let wish = format!("{root}/candidate-");
        let data = name.to_string();
        let mode = CreateMode::EphemeralSequential;
        let node = client
            .create(&wish, data.as_bytes(), &[Acl::open()], mode)
            .await?;
        Ok(Self { client, name, node })
    }

    /// Hands itself over once it leads.
    async fn wait_to_lead(self, root: String, elected: mpsc::Sender<Self>) -> Result<()> {
        loop {
            let candidates = self.client.get_children(&root).await?;
            let me = candidates
                .iter()
                .position(|candidate| self.node.ends_with(candidate));
            let Some(before) = me.context("my node is gone")?.checked_sub(1) else {
                elected.send(self).await?;
                return Ok(());
            };
            let path = format!("{root}/{}", candidates[before]);
            let (stat, gone) = self.client.exists_and_watch(&path).await?;
            if stat.is_some() {
                gone.wait().await?;
            }
        }
    }
}
