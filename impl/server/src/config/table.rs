//! The table of keys: everything `zoo.cfg` may say, what type it has, what it does here.
//!
//! Parsing, validation, warnings and `docs/configuration.md` all read this table and
//! nothing else, so a key that is documented is a key that is parsed.

use std::path::PathBuf;

use super::draft::Draft;
use crate::run::PeerRole;
use zk_node::settings::{DigestAlgorithm, Secret, Words};
use zk_storage::Compression;

/// How Apache ZooKeeper takes a key. Here each is taken from the file and from `-D`, with
/// or without the `zookeeper.` prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reads {
    /// From zoo.cfg by its own name.
    File,
    /// As system property `zookeeper.<name>`, which zoo.cfg sets too.
    Property,
    /// As system property `<name>`; zoo.cfg cannot set it there.
    // spec: CP-CFG-03. A drop-in server takes these from zoo.cfg as well.
    Bare,
}

/// The type of a value, and where it goes.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    Int {
        min: u32,
        max: u32,
        set: fn(&mut Draft, u32),
    },
    /// A negative number means off or unset.
    OrOff {
        set: fn(&mut Draft, Option<u32>),
    },
    Port {
        set: fn(&mut Draft, u16),
    },
    Ratio {
        set: fn(&mut Draft, f64),
    },
    /// Exactly true or false.
    Flag {
        set: fn(&mut Draft, bool),
    },
    /// A property boolean: true, and everything else is false.
    Loose {
        set: fn(&mut Draft, bool),
    },
    /// `yes` or `no`, compared exactly.
    YesNo {
        set: fn(&mut Draft, bool),
    },
    /// Free text; the setter answers whether it is allowed.
    Text {
        allowed: &'static str,
        set: fn(&mut Draft, &str) -> bool,
    },
    /// Text that is never shown.
    Secret {
        set: fn(&mut Draft, &str),
    },
    /// Any text, not used.
    Unused,
}

/// What a key does in this server.
#[derive(Debug, Clone, Copy)]
pub enum Effect {
    Works,
    /// Works, and differs from Apache in what the text says.
    Differs(&'static str),
    /// Tunes a structure of Apache's server that does not exist here; nothing outside changes.
    Internal,
    /// Accepted, has no effect yet, and says so.
    NotYet,
    /// Accepted with this warning when the value asks for it.
    Warns {
        when: fn(&str) -> bool,
        text: &'static str,
    },
    /// A protection that does not exist here: refused when the value asks for it.
    Refused {
        when: fn(&str) -> bool,
        reason: &'static str,
    },
}

/// One row.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    /// A name that ends in `*` stands for all keys that begin so.
    pub name: &'static str,
    pub reads: Reads,
    pub kind: Kind,
    /// As an operator would write it; none: not set.
    pub default: Option<&'static str>,
    pub meaning: &'static str,
    pub effect: Effect,
}

/// A heading of the documentation and its keys.
pub struct Section {
    pub title: &'static str,
    pub keys: &'static [Key],
}

/// All rows.
pub fn all() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}

/// The row for a key as an operator wrote it, and whether its prefix was redundant.
pub fn find(written: &str) -> Option<&'static Key> {
    let name = written.strip_prefix("zookeeper.").unwrap_or(written);
    let matches = |key: &&Key| match key.name.strip_suffix('*') {
        Some(stem) => name.len() > stem.len() && name.starts_with(stem),
        None => key.name == name,
    };
    all()
        .find(|key| key.name == name)
        .or_else(|| all().find(matches))
}

const fn file(name: &'static str, default: &'static str, kind: Kind, meaning: &'static str) -> Key {
    let default = if default.is_empty() {
        None
    } else {
        Some(default)
    };
    Key {
        name,
        reads: Reads::File,
        kind,
        default,
        meaning,
        effect: Effect::Works,
    }
}

const fn property(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    meaning: &'static str,
) -> Key {
    let key = file(name, default, kind, meaning);
    Key {
        reads: Reads::Property,
        ..key
    }
}

const fn bare(name: &'static str, default: &'static str, kind: Kind, meaning: &'static str) -> Key {
    let key = file(name, default, kind, meaning);
    Key {
        reads: Reads::Bare,
        ..key
    }
}

/// A property without effect yet.
const fn later(name: &'static str, meaning: &'static str) -> Key {
    property(name, "", Kind::Unused, meaning).not_yet()
}

/// A property that tunes Apache's insides.
const fn inside(name: &'static str, meaning: &'static str) -> Key {
    let key = property(name, "", Kind::Unused, meaning);
    Key {
        effect: Effect::Internal,
        ..key
    }
}

impl Key {
    const fn not_yet(self) -> Self {
        Self {
            effect: Effect::NotYet,
            ..self
        }
    }

    const fn differs(self, how: &'static str) -> Self {
        Self {
            effect: Effect::Differs(how),
            ..self
        }
    }

    const fn warns(self, when: fn(&str) -> bool, text: &'static str) -> Self {
        Self {
            effect: Effect::Warns { when, text },
            ..self
        }
    }

    const fn refused(self, when: fn(&str) -> bool, reason: &'static str) -> Self {
        Self {
            effect: Effect::Refused { when, reason },
            ..self
        }
    }
}

const fn int(min: u32, set: fn(&mut Draft, u32)) -> Kind {
    Kind::Int {
        min,
        max: i32::MAX as u32,
        set,
    }
}

const fn flag(set: fn(&mut Draft, bool)) -> Kind {
    Kind::Flag { set }
}

const fn loose(set: fn(&mut Draft, bool)) -> Kind {
    Kind::Loose { set }
}

const fn off(set: fn(&mut Draft, Option<u32>)) -> Kind {
    Kind::OrOff { set }
}

const fn text(allowed: &'static str, set: fn(&mut Draft, &str) -> bool) -> Kind {
    Kind::Text { allowed, set }
}

fn is_true(value: &str) -> bool {
    value.eq_ignore_ascii_case("true")
}

fn is_set(value: &str) -> bool {
    !value.is_empty()
}

/// A path, stored by `set`; the empty one is none.
fn path(value: &str, set: impl FnOnce(PathBuf)) -> bool {
    let given = !value.is_empty();
    if given {
        set(PathBuf::from(value));
    }
    given
}

/// A size in KiB as bytes; 0 or less is off.
fn kib(size: Option<u32>) -> Option<u64> {
    size.filter(|n| *n > 0).map(|n| u64::from(n) << 10)
}

/// Comma list, blanks trimmed, empty items dropped.
fn list(value: &str) -> impl Iterator<Item = String> + '_ {
    value
        .split(',')
        .map(str::trim)
        .filter(|item| !item.is_empty())
        .map(str::to_owned)
}

const NO_TLS: &str = "TLS is not built yet";
const NO_SASL: &str = "SASL is not built yet, and starting without it would let everybody in";

/// Every key, by subject.
#[rustfmt::skip]
pub static SECTIONS: &[Section] = &[
    Section { title: "Files and listeners", keys: &[
        file("dataDir", "", text("a path", |d, v| path(v, |p| d.data_dir = Some(p))), "snapshots (in `version-2`) and `myid`; required"),
        file("dataLogDir", "", text("a path", |d, v| path(v, |p| d.data_log_dir = Some(p))), "transaction logs; dataDir when not set"),
        file("clientPort", "", Kind::Port { set: |d, v| d.client_port = Some(v) }, "plain client listener; not set: not opened; 0: a free port"),
        file("clientPortAddress", "", text("a host name or address", |d, v| { d.client_host = Some(v.trim_matches(['[', ']']).to_owned()); is_set(v) }), "address of the client listener; all when not set"),
        file("clientPortListenBacklog", "-1", off(|d, v| d.server.client_backlog = v.and_then(|n| i32::try_from(n).ok()).unwrap_or(-1)), "accept backlog; -1: the server's choice").differs("-1 is 4096, not the 50 of Java"),
        file("secureClientPort", "", Kind::Unused, "TLS client listener").warns(is_set, "stays shut: TLS is not built yet"),
        file("secureClientPortAddress", "", Kind::Unused, "address of the TLS listener").not_yet(),
        file("maxClientCnxns", "60", int(0, |d, v| d.server.settings.max_client_connections_per_address = v), "connections for one peer address; 0: no limit"),
        property("maxCnxns", "0", int(0, |d, v| d.server.settings.max_connections = v), "connections in all; 0: no limit"),
        property("clientTcpKeepAlive", "false", loose(|d, v| d.server.client_keep_alive = v), "TCP keep-alive on client connections"),
        property("nio.sessionlessCnxnTimeout", "10000", int(1, |d, v| d.server.settings.first_frame_ms = v), "ms that a connection has for its whole first frame"),
        property("nio.numWorkerThreads", "0", Kind::Int { min: 0, max: 1024, set: |d, v| d.server.worker_threads = v as usize }, "threads that serve clients; 0: one a core").differs("the default is one a core, not two"),
        inside("nio.numSelectorThreads", "threads that wait for client sockets"),
        inside("nio.directBufferBytes", "buffer of a client socket"),
        inside("nio.shutdownTimeout", "wait for worker threads at the end"),
        inside("intBufferStartingSizeBytes", "first size of a request buffer"),
        property("serverCnxnFactory", "", Kind::Unused, "class of the client listener").not_yet(),
        later("client.portUnification", "TLS and plain clients on one port"),
    ] },
    Section { title: "Time and sessions", keys: &[
        file("tickTime", "3000", int(1, |d, v| d.server.settings.tick_time_ms = v), "ms of one tick, the base unit"),
        file("minSessionTimeout", "-1", off(|d, v| d.min_session_timeout_ms = v), "ms; -1: 2 ticks"),
        file("maxSessionTimeout", "-1", off(|d, v| d.max_session_timeout_ms = v), "ms; -1: 20 ticks"),
        file("localSessionsEnabled", "false", flag(|d, v| d.server.settings.local_sessions = v), "sessions known to one server only"),
        file("localSessionsUpgradingEnabled", "false", flag(|d, v| d.server.settings.local_sessions_upgrading = v), "a local session becomes global when it creates an ephemeral node"),
        bare("readonlymode.enabled", "false", loose(|d, v| d.server.settings.read_only_mode = v), "serve readers while there is no quorum"),
    ] },
    Section { title: "Limits and throttling", keys: &[
        bare("jute.maxbuffer", "1048575", int(1, |d, v| d.server.settings.max_frame_bytes = v as usize), "longest client frame, bytes"),
        property("jute.maxbuffer.extrasize", "-1", off(|d, v| d.frame_extra_bytes = v), "what a string inside a record may add to it; -1: jute.maxbuffer; at least 1024"),
        property("globalOutstandingLimit", "1000", int(1, |d, v| d.server.settings.global_outstanding_limit = v), "requests in process before reading stops"),
        property("request_throttle_max_requests", "0", int(0, |d, v| d.server.settings.throttle.max_requests = v), "requests in process before others wait; 0: off"),
        inside("request_throttle_stall_time", "ms between two looks at the queue; ours is looked at whenever a request is done"),
        property("request_throttle_drop_stale", "true", loose(|d, v| d.server.settings.throttle.drop_stale = v), "drop requests nobody waits for"),
        property("request_stale_connection_check", "true", loose(|d, v| d.server.settings.throttle.stale_connection_check = v), "stale: its connection is closed"),
        property("request_stale_latency_check", "false", loose(|d, v| d.server.settings.throttle.stale_latency_check = v), "stale: older than its session's timeout"),
        inside("request_throttler.shutdownTimeout", "ms that waiting requests have at the end"),
        property("throttled_op_wait_time", "0", int(0, |d, v| d.server.settings.throttle.throttled_op_wait_ms = v), "ms after which a waiting request is answered ThrottledOp; 0: off"),
        property("largeRequestThreshold", "-1", off(|d, v| d.server.settings.large_request_threshold_bytes = v.map(|n| n as usize)), "bytes from which a request counts as large; -1: off"),
        property("largeRequestMaxBytes", "104857600", int(1, |d, v| d.server.settings.large_request_max_bytes = v as usize), "bytes of large requests in flight"),
        property("connection_throttle_tokens", "0", int(0, |d, v| d.server.settings.connection_tokens.tokens = v), "connection tokens; 0: off"),
        property("connection_throttle_fill_time", "1", int(1, |d, v| d.server.settings.connection_tokens.fill_time_ms = v), "ms between refills"),
        property("connection_throttle_fill_count", "1", int(1, |d, v| d.server.settings.connection_tokens.fill_count = v), "tokens of a refill"),
        property("connection_throttle_freeze_time", "-1", off(|d, v| d.server.settings.connection_tokens.freeze_time_ms = v), "ms between changes of the drop probability; -1: no random drop"),
        property("connection_throttle_drop_increase", "0.02", Kind::Ratio { set: |d, v| d.server.settings.connection_tokens.drop_increase = v }, "added to the drop probability while short of tokens"),
        property("connection_throttle_drop_decrease", "0.002", Kind::Ratio { set: |d, v| d.server.settings.connection_tokens.drop_decrease = v }, "taken from the drop probability otherwise"),
        property("connection_throttle_decrease_ratio", "0", Kind::Ratio { set: |d, v| d.server.settings.connection_tokens.decrease_ratio = v }, "share of tokens above which the probability falls"),
        property("connection_throttle_weight_enabled", "false", loose(|d, v| d.server.settings.connection_tokens.weighted = v), "weigh connections by their kind"),
        property("connection_throttle_global_session_weight", "3", int(1, |d, v| d.server.settings.connection_tokens.global_weight = v), "tokens of a new global session"),
        property("connection_throttle_renew_session_weight", "2", int(1, |d, v| d.server.settings.connection_tokens.renew_weight = v), "tokens of a resumed session"),
        property("connection_throttle_local_session_weight", "1", int(1, |d, v| d.server.settings.connection_tokens.local_weight = v), "tokens of a new local session"),
    ] },
    Section { title: "Transaction log and snapshots", keys: &[
        property("preAllocSize", "65536", int(1, |d, v| d.server.log_prealloc_bytes = u64::from(v) << 10), "KiB that a log file is extended by"),
        property("snapCount", "100000", int(2, |d, v| d.server.settings.snap_count = v), "transactions between snapshots (a random number in the upper half)"),
        property("snapSizeLimitInKb", "4194304", off(|d, v| d.server.settings.snap_size_limit_bytes = kib(v)), "log KiB between snapshots; 0 or less: off"),
        property("txnLogSizeLimitInKb", "-1", off(|d, v| d.server.log_size_limit_bytes = kib(v)), "KiB after which a new log file begins; -1: off"),
        inside("snapshotSizeFactor", "when a learner is served from the log on disk; here from memory or by a snapshot, never from there"),
        property("commitLogCount", "500", int(1, |d, v| d.server.settings.commit_log_count = v), "recent transactions kept for learners"),
        property("forceSync", "yes", Kind::YesNo { set: |_, _| () }, "sync the log before acknowledging").warns(|v| v == "no", "not honoured: every write is synced before it is acknowledged"),
        property("fsync.warningthresholdms", "1000", int(0, |d, v| d.server.fsync_warning_ms = v), "ms from which a slow sync is logged"),
        property("flushDelay", "0", int(0, |d, v| d.server.batching.flush_delay_ms = v), "ms that a batch may wait for company"),
        property("maxWriteQueuePollTime", "-1", off(|d, v| d.write_queue_poll_ms = v), "ms without a request after which a batch is synced; -1: a third of flushDelay"),
        property("maxBatchSize", "1000", int(1, |d, v| d.server.batching.max_requests = v), "requests synced together"),
        property("snapshot.compression.method", "", text("gz, snappy or nothing", compression), "compression of new snapshots"),
        property("snapshot.trust.empty", "false", loose(|d, v| d.server.trust_empty = v), "start from logs without any snapshot"),
        property("serializeLastProcessedZxid.enabled", "false", loose(|d, v| d.server.settings.snapshot_last_zxid = v), "write the last zxid into snapshots, as 3.9 does").differs("true in Apache's 3.9: without it snapshots end as those of 3.8"),
        property("datadir.autocreate", "true", loose(|d, v| d.server.create_dirs = v), "make missing data directories; false: a start without them is refused, as where a disk is not mounted"),
        property("db.autocreate", "", loose(|d, v| d.server.autocreate = Some(v)), "an empty data directory is a first start; when not set: alone yes, in an ensemble only with the file `initialize`").differs("Apache's default is true, and a wiped member may then outvote its data"),
        file("autopurge.snapRetainCount", "3", int(0, |d, v| d.server.purge_retain = v.max(3)), "snapshots kept; at least 3"),
        file("autopurge.purgeInterval", "1", int(0, |d, v| d.server.purges = v > 0), "0: never purge; any other number: purge after each snapshot").differs("Apache's is a number of hours, and 0 when not set: a disk that nobody watches must not fill up"),
    ] },
    Section { title: "Tree", keys: &[
        property("extendedTypesEnabled", "false", loose(|d, v| d.server.settings.extended_types = v), "TTL nodes"),
        property("emulate353TTLNodes", "false", loose(|d, v| d.server.settings.emulate_353_ttl_nodes = v), "read TTL nodes written by 3.5.3"),
        property("enforceQuota", "false", loose(|d, v| d.server.settings.enforce_quota = v), "refuse writes over a hard quota"),
        // spec: CP-AUTH-15. Any other text than these two is a mistake here; Apache takes it for no.
        property("skipACL", "no", Kind::YesNo { set: |d, v| d.server.settings.skip_acl = v }, "check no ACL").warns(|v| v == "yes", "every client may do everything"),
        property("enableEagerACLCheck", "false", loose(|d, v| d.server.settings.eager_acl_check = v), "a member checks ACLs before it forwards a write; no effect on a standalone server"),
        property("digest.enabled", "true", loose(|d, v| d.server.settings.digest = v), "keep the tree digest"),
        property("closeSessionTxn.enabled", "true", loose(|d, v| d.server.settings.close_session_txn = v), "log the nodes that a closing session takes along"),
        bare("znode.container.checkIntervalMs", "60000", int(1, |d, v| d.server.settings.container.check_interval_ms = v), "ms between searches for empty containers and TTL nodes that are due"),
        bare("znode.container.maxPerMinute", "10000", int(1, |d, v| d.server.settings.container.max_per_minute = v), "removals a minute"),
        bare("znode.container.maxNeverUsedIntervalMs", "0", int(0, |d, v| d.server.settings.container.max_never_used_ms = u64::from(v)), "ms after which a container that never had a child goes; 0: never"),
        inside("maxResponseCacheSize", "cached getData replies"),
        inside("maxGetChildrenResponseCacheSize", "cached getChildren replies"),
        inside("watchManagerName", "class of the watch tables; ours has all kinds of watches"),
        inside("watcherCleanThreadsNum", "watch clean-up threads"),
        inside("watcherCleanThreshold", "dead watches before a clean-up"),
        inside("watcherCleanIntervalInSeconds", "seconds between clean-ups"),
        inside("maxInProcessingDeadWatchers", "dead watches in clean-up"),
        inside("bitHashCacheSize", "bit cache of the watch tables"),
        inside("commitProcessor.numWorkerThreads", "threads that answer committed requests"),
        inside("commitProcessor.maxReadBatchSize", "reads between two commits"),
        inside("commitProcessor.maxCommitBatchSize", "commits between two reads"),
        inside("commitProcessor.shutdownTimeout", "wait for worker threads at the end"),
    ] },
    Section { title: "Authentication", keys: &[
        property("DigestAuthenticationProvider.superDigest", "", Kind::Secret { set: |d, v| d.server.settings.super_digest = Some(Secret::new(v)) }, "`user:hash` of the super user"),
        property("DigestAuthenticationProvider.digestAlg", "SHA1", text("SHA1, SHA-256 or SHA-512", digest_algorithm), "hash of the digest scheme"),
        property("DigestAuthenticationProvider.enabled", "true", loose(|d, v| d.server.settings.digest_auth = v), "the digest scheme"),
        property("enforce.auth.enabled", "false", loose(|d, v| d.enforce_auth = v), "serve authenticated clients only"),
        property("enforce.auth.schemes", "", text("a comma list of ip and digest", |d, v| { d.enforce_schemes = list(v).collect(); true }), "schemes that count"),
        property("ensembleAuthName", "", text("a comma list", |d, v| { d.ensemble_names = list(v).collect(); true }), "names that the ensemble scheme lets in"),
        property("authProvider.*", "", text("a class name", |d, v| { d.ensemble_provider |= v.ends_with(".EnsembleAuthenticationProvider"); is_set(v) }), "class of a further scheme").warns(|v| !BUILT_PROVIDERS.iter().any(|known| v.ends_with(known)), "this provider is not built: its scheme is refused"),
        property("sessionRequireClientSASLAuth", "false", Kind::Unused, "serve SASL clients only").refused(is_true, NO_SASL),
        later("allowSaslFailedClients", "serve clients whose SASL step failed"),
        later("SASLAuthenticationProvider.superPassword", "password of the SASL user `super`"),
        later("X509AuthenticationProvider.superUser", "subject of the TLS super user"),
        later("X509AuthenticationProvider.*", "identity taken from a TLS certificate"),
        later("superUser", "SASL id of the super user"),
        later("superUser.*", "SASL ids of super users"),
        later("letAnySaslUserDoX", "SASL id that matches any other"),
        later("kerberos.*", "SASL names"),
        later("sasl.*", "SASL client names"),
        later("allowSaslMechanisms", "SASL mechanisms"),
        bare("java.security.auth.login.config", "", Kind::Unused, "JAAS file of SASL").not_yet(),
        inside("IPAuthenticationProvider.usexforwardedfor", "believe a proxy's header about the address; never, here"),
    ] },
    Section { title: "Four-letter words", keys: &[
        property("4lw.commands.whitelist", "", text("a comma list, or *", words), "words that answer besides srvr (and isro in read-only mode)"),
    ] },
    Section { title: "Ensemble", keys: &[
        file("initLimit", "0", int(0, |d, v| d.quorum.init_limit_ticks = v), "ticks for a learner's first synchronization; required in an ensemble"),
        file("syncLimit", "0", int(0, |d, v| d.quorum.sync_limit_ticks = v), "ticks that a learner may fall silent; required in an ensemble"),
        file("connectToLearnerMasterLimit", "0", int(0, |d, v| d.quorum.connect_limit_ticks = v), "ticks to connect to the leader; 0: initLimit"),
        file("electionAlg", "3", Kind::Int { min: 3, max: 3, set: |_, _| () }, "the election; 3 alone exists"),
        file("peerType", "", text("participant or observer", role), "role of this server; its member line wins, with a warning where they differ"),
        file("server.*", "", Kind::Unused, "a member: `host:quorumPort:electionPort[:role][;[host:]clientPort]`"),
        file("group.*", "", Kind::Unused, "members of a group: `id:id:...`"),
        file("weight.*", "", Kind::Unused, "weight of a member's vote; 1 when not set"),
        file("dynamicConfigFile", "", text("a path", |d, v| path(v, |p| d.dynamic_file = Some(p))), "file with the member lines"),
        file("standaloneEnabled", "true", flag(|d, v| d.quorum.standalone_enabled = v), "one member alone is a standalone server"),
        file("reconfigEnabled", "false", flag(|d, v| d.server.settings.reconfig = v), "allow the reconfig operation; it is not built: allowed, it answers Unimplemented instead of ReconfigDisabled").warns(is_true, "reconfiguration is not built: the operation answers Unimplemented"),
        file("quorumListenOnAllIPs", "false", flag(|d, v| d.quorum.listen_on_all_addresses = v), "listen for peers on all addresses"),
        file("syncEnabled", "true", flag(|d, v| d.sync_enabled = v), "false: an observer logs no txns and takes no snapshots; its next start begins at the last snapshot that a leader sent it"),
        property("observer.syncEnabled", "", loose(|d, v| d.observer_sync = Some(v)), "overrides `syncEnabled`"),
        file("observerMasterPort", "", Kind::Unused, "port on which followers feed observers; they feed none yet, observers go to the leader").not_yet(),
        file("multiAddress.enabled", "false", flag(|d, v| d.multi_address = v), "several addresses for a member"),
        file("multiAddress.reachabilityCheckEnabled", "true", flag(|d, v| d.reachability_check = v), "look for the address that answers"),
        file("multiAddress.reachabilityCheckTimeoutMs", "1000", int(1, |d, v| d.reachability_timeout_ms = v), "ms for that"),
        file("oraclePath", "", Kind::Unused, "file that breaks ties of two servers").refused(is_set, "a file must not stand in for a quorum"),
        property("leaderServes", "yes", Kind::YesNo { set: |d, v| d.server.settings.leader_serves = v }, "no: a leader takes no clients unless it is alone"),
        property("cnxTimeout", "5000", int(1, |d, v| d.quorum.connect_timeout_ms = v), "ms to connect to an election port"),
        property("quorumCnxnTimeoutMs", "-1", off(|d, v| d.quorum.handshake_timeout_ms = v.filter(|n| *n > 0)), "ms for its handshake; -1: the sync limit"),
        property("electionPortBindRetry", "3", int(0, |d, v| d.quorum.election_bind_retries = v), "attempts to bind the election port; 0: without end"),
        property("fastleader.minNotificationInterval", "200", int(1, |d, v| d.quorum.min_notification_ms = v), "ms before votes are sent again"),
        property("fastleader.maxNotificationInterval", "2000", int(1, |d, v| d.quorum.max_notification_ms = v), "longest such pause, ms").differs("60000 in Apache's: servers that were cut off from each other would wait that long after the cut is healed; at least ten times the final wait here"),
        property("vivarium.election.finalWaitMs", "200", Kind::Int { min: 10, max: 200, set: |d, v| d.quorum.finalize_wait_ms = v }, "ms that a looking server waits for a better vote; less than 200 is for ensembles of Vivarium alone").differs("not a key of Apache's, whose wait is always 200"),
        property("vivarium.openingTxn", "false", flag(|d, v| d.quorum.opening_txn = v), "true: a leader serves clients only once a first txn of its own is committed; for ensembles with servers of Apache before 3.8.5, or of 3.9.0 or 3.9.1").differs("not a key of Apache's"),
        property("observer.reconnectDelayMs", "0", int(0, |d, v| d.quorum.observer_reconnect_delay_ms = v), "longest random pause before an observer reconnects, ms"),
        property("observer.election.DelayMs", "200", int(0, |d, v| d.quorum.observer_election_delay_ms = v), "longest random pause, beside `observer.reconnectDelayMs`, before an observer connects to a leader, ms"),
        property("leaderConnectDelayDuringRetryMs", "100", int(0, |d, v| d.quorum.leader_connect_retry_ms = v), "ms between attempts to connect to the leader"),
        property("leader.maxConcurrentSnapSyncs", "10", int(0, |d, v| d.quorum.max_concurrent_snaps = v), "snapshots sent at once"),
        property("leader.maxConcurrentDiffSyncs", "100", int(0, |d, v| d.quorum.max_concurrent_diffs = v), "diffs sent at once"),
        property("vivarium.learner.queueLimitInKb", "1048576", int(1024, |d, v| d.quorum.learner_queue_bytes = u64::from(v) << 10), "KiB that a leader keeps for a learner that takes them too slowly, before it gives it up; what brings a learner up to date does not count").differs("not a key of Apache's, whose queue has no limit"),
        inside("leader.maxTimeToWaitForEpoch", "when a new leader gives up on a voter that changed its mind; here it waits for initLimit"),
        property("tcpKeepAlive", "true", loose(|d, v| d.quorum.election_keep_alive = v), "TCP keep-alive on connections between servers").differs("on unless it is set; off, a peer that vanished without a word lingers"),
        inside("follower.skipLearnerRequestToNextProcessor", "path of a learner's request"),
        inside("forward_learner_requests_to_commit_processor_disabled", "path of a learner's request"),
        inside("learner.asyncSending", "a thread of its own for a learner's packets"),
        inside("learner.closeSocketAsync", "close a learner's socket on a thread of its own"),
        inside("leader.closeSocketAsync", "close a leader's socket on a thread of its own"),
        file("quorum.cnxn.threads.size", "", Kind::Unused, "threads of SASL between servers").not_yet(),
        file("quorum.auth.enableSasl", "false", Kind::Unused, "SASL between servers").not_yet(),
        file("quorum.auth.learnerRequireSasl", "false", Kind::Unused, "connect to authenticated servers only").refused(is_true, NO_SASL),
        file("quorum.auth.serverRequireSasl", "false", Kind::Unused, "accept authenticated servers only").refused(is_true, NO_SASL),
        file("quorum.auth.*", "", Kind::Unused, "names of SASL between servers").not_yet(),
        file("sslQuorum", "false", Kind::Unused, "TLS between servers").refused(is_true, NO_TLS),
        file("sslQuorumReloadCertFiles", "false", Kind::Unused, "reload its certificates").not_yet(),
        file("portUnification", "false", Kind::Unused, "TLS and plain peers on one port").not_yet(),
    ] },
    Section { title: "TLS", keys: &[
        later("ssl.*", "TLS for clients; `ssl.quorum.*` between servers"),
        later("client.certReload", "reload certificates of the client listener"),
        later("fips-mode", "only approved algorithms"),
        later("netty.*", "the TLS listener's own limits"),
    ] },
    Section { title: "Administration, metrics, audit, JVM", keys: &[
        property("vivarium.traceDir", "", text("a path", |d, v| path(v, |p| d.server.trace_dir = Some(p))), "existing folder for a trace of the protocol core, a new file for each start, for `zab-checker trace`; not set: no trace").differs("not a key of Apache's"),
        later("admin.*", "HTTP administration"),
        file("metricsProvider.*", "", Kind::Unused, "export of metrics").not_yet(),
        later("audit.*", "audit log"),
        later("jvm.pause.*", "watch for pauses of the JVM"),
        file("jvm.pause.monitor", "", Kind::Unused, "watch for pauses of the JVM").not_yet(),
        later("jmx.*", "JMX"),
    ] },
];

/// Provider classes of Apache's whose schemes exist here.
const BUILT_PROVIDERS: [&str; 3] = [
    ".EnsembleAuthenticationProvider",
    ".DigestAuthenticationProvider",
    ".IPAuthenticationProvider",
];

fn role(draft: &mut Draft, value: &str) -> bool {
    draft.role = match value {
        "participant" => Some(PeerRole::Participant),
        "observer" => Some(PeerRole::Observer),
        _ => return false,
    };
    true
}

fn compression(draft: &mut Draft, value: &str) -> bool {
    let method = match value {
        "" => Compression::None,
        "gz" => Compression::Gzip,
        "snappy" => Compression::Snappy,
        _ => return false,
    };
    draft.server.snapshot_compression = method;
    true
}

/// Names as Java's `MessageDigest` takes them.
fn digest_algorithm(draft: &mut Draft, value: &str) -> bool {
    let algorithm = match value.to_ascii_uppercase().as_str() {
        "SHA1" | "SHA-1" | "SHA" => DigestAlgorithm::Sha1,
        "SHA-256" => DigestAlgorithm::Sha256,
        "SHA-512" => DigestAlgorithm::Sha512,
        _ => return false,
    };
    draft.server.settings.digest_algorithm = algorithm;
    true
}

// spec: CP-FLW-03
fn words(draft: &mut Draft, value: &str) -> bool {
    let listed: std::collections::BTreeSet<String> = list(value).collect();
    draft.server.settings.four_letter_words = if listed.contains("*") {
        Words::All
    } else {
        Words::Only(listed)
    };
    true
}
