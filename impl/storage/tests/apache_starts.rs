//! Apache's servers start on directories that this crate wrote, show what is in them, and write on; then we read that.
//! `conformance/peers/setup.sh` installs them. spec: disk-format.md 15 and 17, test 2; DF-ALG-06, DF-SNAP-05, DF-PAD-03
#![allow(clippy::unwrap_used, clippy::expect_used)] // a test's helpers fail it by panicking

mod common;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use common::*;
use zk_proto::request::ReadPath;
use zk_proto::{Acl, CreateTxn, Reader, ReplyHeader, Request, Txn};
use zk_proto::{ConnectRequest, ErrorCode, request};
use zk_storage::disk::RealDisk;
use zk_storage::{Compression, Config};

/// First of the ports that these tests use.
const PORTS: std::ops::Range<u16> = 23_100..23_900;
const PATIENCE: Duration = Duration::from_secs(90);

#[test]
fn debians_release_on_a_log_alone() {
    both_ways("3.8.0", None);
}

#[test]
fn debians_release_on_each_kind_of_snapshot() {
    for compression in [Compression::None, Compression::Gzip, Compression::Snappy] {
        both_ways("3.8.0", Some(compression));
    }
}

#[test]
fn the_newest_release() {
    both_ways("3.9.5", None);
    both_ways("3.9.5", Some(Compression::None));
}

/// One server at a time: they want much memory, and the next port is free once the last server is gone.
static TURN: Mutex<()> = Mutex::new(());

fn both_ways(release: &str, snapshot: Option<Compression>) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let dir = tempfile::tempdir().unwrap();
    let config = || Config {
        segment_bytes: 1 << 20,
        ..Config::new(dir.path())
    };
    let (mut server, _) = start_with(Arc::new(RealDisk), config()).unwrap();
    let last = write(&mut server, snapshot);
    drop(server); // killed: no roll, zeros behind the last record, our mark beside Apache's files
    let nodes = [
        "/a",
        "/a/b",
        "/m1",
        "/m2",
        "/after",
        "/zookeeper",
        "/zookeeper/quota",
        "/zookeeper/config",
        "",
    ]
    .len();
    let what = format!("{release} on {snapshot:?}");
    let new = {
        let apache = Apache::start(release, dir.path());
        let srvr = apache.ask("srvr");
        assert!(
            srvr.contains(&format!("Zxid: {last:#x}\n")),
            "{what}: {srvr}"
        );
        assert!(
            srvr.contains(&format!("Node count: {nodes}\n")),
            "{what}: {srvr}"
        );
        let mut client = Client::connect(apache.port);
        assert_eq!(client.get("/a"), Ok(b"third".to_vec()), "{what}");
        assert_eq!(client.get("/m2"), Ok(vec![b'm'; 5000]), "{what}");
        assert_eq!(client.get("/gone"), Err(ErrorCode::NoNode.code()), "{what}");
        client.create("/apaches", b"own")
    };
    let (server, facts) = start_with(Arc::new(RealDisk), config()).unwrap();
    assert!(
        server.model.last >= new && facts.warnings.is_empty(),
        "{what}: {:?}",
        facts.warnings
    );
    assert_eq!(
        server.model.nodes["/apaches"].0.as_deref(),
        Some(&b"own"[..]),
        "{what}"
    );
    assert_eq!(
        server.model.nodes["/a"].0.as_deref(),
        Some(&b"third"[..]),
        "{what}"
    );
}

/// Sessions, every change of a znode, a multi over a page, a failure, a roll, a snapshot; returns the last zxid.
fn write(server: &mut Server, snapshot: Option<Compression>) -> i64 {
    let set = |data: &str, version| Txn::SetData {
        path: "/a".into(),
        data: Some(data.to_owned().into()),
        version,
    };
    let child = |path: &str, data: &[u8], parent_cversion| {
        let Txn::Create(create) = create(path, data) else {
            unreachable!()
        };
        Txn::Create(CreateTxn {
            parent_cversion,
            acl: vec![Acl::open()],
            ..create
        })
    };
    let steps = [
        Txn::CreateSession { timeout: 30_000 },
        child("/a", b"first", 1),
        set("second", 1),
        child("/gone", b"", 2),
        Txn::Delete {
            path: "/gone".into(),
        },
        child("/a/b", b"", 1),
        Txn::Error {
            err: ErrorCode::NodeExists.code(),
        },
        Txn::Multi(vec![
            child("/m1", b"m", 3),
            child("/m2", &[b'm'; 5000], 4),
            set("third", 2),
        ]),
        child("/after", b"x", 5),
    ];
    for (txn, zxid) in steps.iter().zip(1..) {
        server.append(zxid, txn).unwrap();
        server.log().sync().unwrap();
        if zxid == 7 {
            match snapshot {
                Some(compression) => drop(server.snapshot_as(compression).unwrap()),
                None => server.log().roll().unwrap(),
            }
        }
    }
    steps.len() as i64
}

/// A server of Apache's, killed when it is dropped.
struct Apache {
    process: Child,
    port: u16,
}

impl Apache {
    fn start(release: &str, dir: &Path) -> Self {
        let script =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../conformance/peers/run-apache.sh");
        let port = free_port();
        let process = Command::new(script)
            .args([
                release,
                "standalone",
                &port.to_string(),
                dir.to_str().unwrap(),
            ])
            .args([
                "-Dzookeeper.snapshot.compression.method=",
                "-Dzookeeper.preAllocSize=64",
            ])
            .env("APACHE_LOG", dir.join("apache.out"))
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        let mut apache = Self { process, port };
        let began = Instant::now();
        while !apache.ask("srvr").contains("Zxid") {
            let ended = apache.process.try_wait().unwrap();
            assert!(
                ended.is_none() && began.elapsed() < PATIENCE,
                "{release} does not start: {ended:?}\n{}",
                log(dir)
            );
            std::thread::sleep(Duration::from_millis(50)); // the next look; what ends the wait is the answer
        }
        apache
    }

    fn ask(&self, word: &str) -> String {
        let mut answer = String::new();
        if let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) {
            // A server that is still starting may take the connection and never answer it.
            stream
                .set_read_timeout(Some(Duration::from_secs(2)))
                .unwrap();
            if stream.write_all(word.as_bytes()).is_ok() {
                stream.read_to_string(&mut answer).ok();
            }
        }
        answer
    }
}

impl Drop for Apache {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn log(dir: &Path) -> String {
    let log = std::fs::read_to_string(dir.join("apache.out")).unwrap_or_default();
    log.lines().rev().take(30).collect::<Vec<_>>().join("\n")
}

fn free_port() -> u16 {
    let start = PORTS.start + (std::process::id() % 700) as u16;
    let mut ports = (start..PORTS.end).chain(PORTS);
    ports
        .find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
        .expect("a free port")
}

/// Raw frames: no client library between the test and the server.
struct Client {
    stream: TcpStream,
    xid: i32,
}

impl Client {
    fn connect(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut frame = Vec::new();
        zk_proto::jute::frame(&mut frame, |out| {
            ConnectRequest {
                protocol_version: 0,
                last_zxid_seen: 0,
                timeout: 30_000,
                session_id: 0,
                password: Some(&[0; 16]),
                read_only: Some(false),
            }
            .encode(out);
        });
        stream.write_all(&frame).unwrap();
        let mut client = Self { stream, xid: 0 };
        client.frame();
        client
    }

    fn get(&mut self, path: &str) -> Result<Vec<u8>, i32> {
        let (header, body) = self.call(&Request::GetData(ReadPath {
            path: path.into(),
            watch: false,
        }));
        if header.err != 0 {
            return Err(header.err);
        }
        Ok(Reader::new(&body)
            .buffer()
            .unwrap()
            .unwrap_or_default()
            .to_vec())
    }

    /// Returns the zxid.
    fn create(&mut self, path: &str, data: &[u8]) -> i64 {
        let acl = [Acl::open()];
        let (header, _) = self.call(&Request::Create(request::Create {
            path: path.into(),
            data: Some(data),
            acl: Some(acl.iter().collect()),
            flags: 0,
        }));
        assert_eq!(header.err, 0);
        header.zxid
    }

    fn call(&mut self, request: &Request<'_>) -> (ReplyHeader, Vec<u8>) {
        self.xid += 1;
        let mut frame = Vec::new();
        request.encode_frame(self.xid, &mut frame);
        self.stream.write_all(&frame).unwrap();
        let reply = self.frame();
        let mut reader = Reader::new(&reply);
        (
            ReplyHeader::read(&mut reader).unwrap(),
            reader.rest().to_vec(),
        )
    }

    fn frame(&mut self) -> Vec<u8> {
        let mut len = [0; 4];
        self.stream.read_exact(&mut len).unwrap();
        let mut frame = vec![0; u32::from_be_bytes(len) as usize];
        self.stream.read_exact(&mut frame).unwrap();
        frame
    }
}
