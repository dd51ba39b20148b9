//! What every example needs: sessions, a folder of its own, and an end.

use std::time::Duration;

use anyhow::{Context, Result};
use zk_client::{Acl, Client, CreateMode, Error, ErrorCode, Options};

/// No example may take longer.
const LIMIT: Duration = Duration::from_secs(60);

/// The servers to talk to: the first argument, or a server on this machine.
pub(crate) fn servers() -> String {
    let given = std::env::args().nth(1);
    given.unwrap_or_else(|| "127.0.0.1:2181".to_owned())
}

/// A session with a timeout short enough to see it end.
pub(crate) async fn session(servers: &str) -> Result<Client> {
    let options = Options::new(servers)?.session_timeout(Duration::from_secs(6));
    Client::with_options(options).await.context("connect")
}

/// Runs an example inside a folder of its own, and removes the folder afterwards.
pub(crate) async fn run<F, Running>(name: &str, example: F) -> Result<()>
where
    F: FnOnce(String, String) -> Running,
    Running: Future<Output = Result<()>>,
{
    let servers = servers();
    let whole = async {
        let client = session(&servers).await?;
        let folder = format!("/example-{name}-{:x}", client.session_id());
        make(&client, &folder).await?;
        let outcome = example(servers.clone(), folder.clone()).await;
        remove(&client, &folder).await?;
        client.close().await?;
        outcome
    };
    tokio::time::timeout(LIMIT, whole)
        .await
        .context("took too long")?
}

/// Creates a node that stays, unless it exists.
pub(crate) async fn make(client: &Client, path: &str) -> Result<()> {
    match client
        .create(path, b"", &[Acl::open()], CreateMode::Persistent)
        .await
    {
        Ok(_) | Err(Error::Server(ErrorCode::NodeExists)) => Ok(()),
        Err(error) => Err(error).with_context(|| path.to_owned()),
    }
}

async fn remove(client: &Client, path: &str) -> Result<()> {
    for child in client.get_children(path).await? {
        Box::pin(remove(client, &format!("{path}/{child}"))).await?;
    }
    match client.delete(path, -1).await {
        Ok(()) | Err(Error::Server(ErrorCode::NoNode)) => Ok(()),
        Err(error) => Err(error).with_context(|| path.to_owned()),
    }
}
