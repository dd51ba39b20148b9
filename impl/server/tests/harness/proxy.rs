//! A way to a server that can be cut.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Passes connections on until dropped.
pub(crate) struct Proxy {
    pub(crate) address: String,
    open: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (open, seen) = watch::channel(true);
        tokio::spawn(accept(listener, target, seen));
        Self { address, open }
    }

    /// Closes every connection, and each new one at once.
    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }
}

async fn accept(listener: TcpListener, target: String, mut open: watch::Receiver<bool>) {
    loop {
        let client = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            changed = open.changed() => match changed {
                Ok(()) => continue,
                Err(_) => return,
            },
        };
        if *open.borrow_and_update() {
            tokio::spawn(pass(client, target.clone(), open.clone()));
        }
    }
}

async fn pass(mut client: TcpStream, target: String, mut open: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(target).await else {
        return;
    };
    tokio::select! {
        // Either end may go at any time: that is what this is for.
        _ended = copy_bidirectional(&mut client, &mut server) => {}
        _closed = open.wait_for(|open| !open) => {}
    }
}
