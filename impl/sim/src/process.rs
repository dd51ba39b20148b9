//! One running server: the production node, log keeper, recovery and snapshots, as
//! `zk-server`'s threads host them, on virtual time and a simulated disk.

use crate::plan::{MS, Plan, TICK_MS, Us};
use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex};
use zab::{Config, LinkId, Peer, ServerId};
use zk_node::conn::lane::Bell;
use zk_node::disk::{
    Command, Incoming, Keeper, Outgoing, Restored, SnapshotJob, restore, session_ids,
};
use zk_node::trace::Tracer;
use zk_node::{Input, Node, Now, Settings, Shared};
use zk_storage::sim::SimDisk;
use zk_storage::snapshot::Prepared;
use zk_storage::{Filler, Purger, Store};

pub const DATA_DIR: &str = "/data";

/// Snapshots that a purge keeps.
pub const RETAIN: usize = 3;

/// What one server is told, whatever its incarnation.
#[derive(Clone, Debug)]
pub struct Identity {
    pub index: usize,
    pub id: ServerId,
    pub config: Config,
    pub settings: Settings,
    pub standalone: bool,
    /// The monotonic clock's value at the start of the run.
    pub mono_base_ms: u64,
}

impl Identity {
    #[must_use]
    pub fn new(plan: &Plan, index: usize, mono_base_ms: u64) -> Self {
        let id = ServerId(index as i64 + 1);
        let standalone = plan.voters == 1;
        let voters = (0..plan.voters).map(|index| ServerId(index as i64 + 1));
        let config = Config {
            standalone,
            window: plan.window as usize,
            opening_txn: plan.opening_txn,
            ..Config::new(id, voters)
        };
        let settings = Settings {
            server_id: index as u8 + 1,
            tick_time_ms: TICK_MS as u32,
            min_session_timeout_ms: 2 * TICK_MS as i32,
            max_session_timeout_ms: 20 * TICK_MS as i32,
            snap_count: plan.snap_count,
            commit_log_count: plan.window,
            max_client_connections_per_address: 0,
            ..Settings::default()
        };
        Self {
            index,
            id,
            config,
            settings,
            standalone,
            mono_base_ms,
        }
    }

    #[must_use]
    pub fn storage(&self) -> zk_storage::Config {
        zk_storage::Config {
            segment_bytes: 64 << 10,
            standalone: self.standalone,
            ..zk_storage::Config::new(Path::new(DATA_DIR))
        }
    }
}

/// Notes which connections were rung.
pub struct SimBell {
    pub conn: u64,
    pub rung: Arc<Mutex<Vec<u64>>>,
}

impl Bell for SimBell {
    fn ring(&self) {
        if let Ok(mut rung) = self.rung.lock() {
            rung.push(self.conn);
        }
    }
}

/// A learner's attempts to reach its leader.
#[derive(Clone, Copy, Debug)]
pub struct Dial {
    pub leader: usize,
    pub refused: u32,
    pub number: u64,
}

/// A stream to a learner, and what waits behind it.
pub struct Stream {
    pub outgoing: Outgoing,
    pub behind: VecDeque<bytes::Bytes>,
}

pub struct Process {
    pub incarnation: u64,
    pub node: Node,
    pub shared: Arc<Shared>,
    pub store: Arc<Store>,
    pub keeper: Keeper,
    pub inbox: Vec<Input>,
    /// When the driver runs next.
    pub step_at: Option<Us>,
    pub log_queue: Vec<Command>,
    /// The batch whose sync is under way.
    pub log_batch: Option<Vec<Command>>,
    /// The next log file while it is being made.
    pub filler: Option<Filler>,
    pub snapshot: Option<SnapshotJob>,
    pub snapshot_due: bool,
    pub purger: Purger,
    pub rung: Arc<Mutex<Vec<u64>>>,
    pub dial: Option<Dial>,
    pub dials: u64,
    pub streams: BTreeMap<LinkId, Stream>,
    pub incoming: Option<(LinkId, i64, Incoming)>,
    pub prepared: Option<(LinkId, Prepared)>,
    pub paused_until: Us,
    /// When something last came from the leader, or a quorum's answer at the leader.
    pub heard_at: Us,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum BootError {
    #[error("{0}")]
    Storage(#[from] zk_storage::Error),
    #[error("{0}")]
    Restore(#[from] zab::RestoreError),
}

/// Hears of each step of a process's core, and before them of what its start found on the disk, which it may amend.
pub trait Observer: Tracer + 'static {
    fn restored(&mut self, identity: &Identity, restored: &mut Restored);
}

impl Process {
    /// As `zk_server::Server::start` does it.
    ///
    /// # Errors
    /// What would keep the real server from starting.
    pub fn boot(
        identity: &Identity,
        disk: &SimDisk,
        incarnation: u64,
        now: Now,
        mut observer: impl Observer,
        scatter: u32,
    ) -> Result<(Self, Vec<String>), BootError> {
        let settings = identity.settings.tree();
        let store = Arc::new(Store::open(Arc::new(disk.clone()), identity.storage())?);
        let mut restored = restore(&store, &settings, identity.config.window)?;
        observer.restored(identity, &mut restored);
        let peer = Peer::restore(identity.config.clone(), restored.durable)?;
        let server_id = identity.settings.server_id;
        let ids = session_ids(&store, server_id, now.wall_ms, &restored.tree)?;
        let shared = Arc::new(Shared::new(identity.settings.clone(), restored.tree, now));
        let mut node = Node::new(Arc::clone(&shared), peer, ids, now, scatter);
        node.replayed(restored.replayed);
        node.trace(Box::new(observer));
        #[cfg_attr(not(feature = "mutants"), expect(unused_mut))]
        let mut keeper = Keeper::new(Arc::clone(&store), restored.log, settings);
        #[cfg(feature = "mutants")]
        keeper.spoil(identity.settings.bugs);
        let process = Self {
            incarnation,
            keeper,
            node,
            shared,
            store,
            inbox: vec![Input::Started],
            step_at: None,
            log_queue: Vec::new(),
            log_batch: None,
            filler: None,
            snapshot: None,
            snapshot_due: false,
            purger: Purger::default(),
            rung: Arc::default(),
            dial: None,
            dials: 0,
            streams: BTreeMap::new(),
            incoming: None,
            prepared: None,
            paused_until: 0,
            heard_at: 0,
        };
        Ok((process, restored.warnings))
    }

    /// Connections rung since the last question.
    pub fn take_rung(&self) -> Vec<u64> {
        let mut rung = match self.rung.lock() {
            Ok(mut rung) => std::mem::take(&mut *rung),
            Err(_) => Vec::new(),
        };
        rung.sort_unstable();
        rung.dedup();
        rung
    }
}

/// The node's clocks at a virtual moment.
#[must_use]
pub fn clocks(identity: &Identity, wall_offset_ms: i64, now: Us) -> Now {
    Now {
        mono_ms: identity.mono_base_ms + now / MS,
        wall_ms: 1_700_000_000_000 + (now / MS) as i64 + wall_offset_ms,
    }
}
