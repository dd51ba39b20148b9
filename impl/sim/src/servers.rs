//! What a server's threads do: the driver, the log, snapshots, links to other servers;
//! and how a process begins and ends.

use crate::net::Frame;
use crate::plan::{MS, Us};
use crate::process::{BootError, Dial, Process, RETAIN, Stream};
use crate::world::{Happening, World};
use bytes::Bytes;
use std::collections::VecDeque;
use zab::{LinkId, Message, Notification, RoleKind, ServerId};
use zk_node::disk::{Command, Incoming, Outgoing, SnapshotJob};
use zk_node::{Input, Output};
use zk_proto::quorum::Packet;
use zk_storage::Compression;
use zk_storage::sim::{Call, CallKind, Outcome, Verdict};

const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// Dials that a learner tries before it looks for another leader, and the time between two.
const DIALS: u32 = 5;
const DIAL_PAUSE: Us = 100 * MS;
/// What a lost SYN costs.
const CONNECT_TIMEOUT: Us = 1000 * MS;

fn index(id: ServerId) -> usize {
    usize::try_from(id.0 - 1).unwrap_or(0)
}

impl World {
    // ---- beginning and end

    pub(crate) fn start(&mut self, server: usize) {
        if self.slots[server].process.is_some() || !self.slots[server].wanted {
            return;
        }
        let now = self.clocks(server);
        let recorder = self.recorder(server);
        let slot = &mut self.slots[server];
        slot.incarnation += 1;
        let scatter = slot.rng.draw() as u32;
        let booted = Process::boot(
            &slot.identity,
            &slot.disk,
            slot.incarnation,
            now,
            recorder,
            scatter,
        );
        match booted {
            Ok((process, warnings)) => {
                self.totals.restarts += 1;
                for warning in warnings {
                    self.say(|| format!("{} warns: {warning}", server + 1));
                    if warning.contains("another digest") {
                        self.fail("INV-12", format!("server {}: {warning}", server + 1), 0);
                    }
                }
                self.say(|| format!("{} starts", server + 1));
                self.slots[server].process = Some(process);
                self.wake(server, self.now);
            }
            Err(error) => {
                // A disk that fails is no damage; a supervisor tries again.
                let disk = matches!(
                    &error,
                    BootError::Storage(
                        zk_storage::Error::Io { .. } | zk_storage::Error::LogFailed { .. }
                    )
                );
                self.say(|| format!("{} does not start: {error}", server + 1));
                self.slots[server].disk.kill_process();
                if !disk {
                    // spec: P-DETECT. No fault of a plan damages what was durable.
                    let what = format!("server {} does not start: {error}", server + 1);
                    self.fail("P-DETECT", what, 0);
                }
                self.retry_start(server);
            }
        }
    }

    /// The process is gone; its kernel closes its connections.
    pub(crate) fn kill(&mut self, server: usize, why: &str) {
        if self.slots[server].process.take().is_none() {
            self.slots[server].wanted = false;
            return;
        }
        self.say(|| format!("{} ends: {why}", server + 1));
        let slot = &mut self.slots[server];
        slot.wanted = false;
        slot.stopped_why = why.to_owned();
        slot.disk.kill_process();
        self.set_hook(server);
        self.recorder(server).lock().stopped(server);
        self.drop_links(server, true);
        self.drop_clients(server, true);
    }

    /// Power is cut while a batch may be on its way to the disk.
    pub(crate) fn power_cut(&mut self, server: usize) {
        let Some(mut process) = self.slots[server].process.take() else {
            self.slots[server].wanted = false;
            return;
        };
        self.say(|| format!("{} loses power", server + 1));
        let slot = &mut self.slots[server];
        slot.wanted = false;
        if let Some(batch) = process.log_batch.take() {
            let mut left = slot.rng.below(12);
            slot.disk.set_hook(move |call: &Call| {
                if !call.kind.changes() {
                    return Verdict::Proceed;
                }
                if left == 0 {
                    return Verdict::Halt;
                }
                left -= 1;
                Verdict::Proceed
            });
            // What it returns no longer matters to anyone.
            drop(process.keeper.write(batch));
        }
        drop(process);
        let outcome = match slot.rng.below(4) {
            0 => Outcome::DropAll,
            1 => Outcome::KeepAll,
            _ => Outcome::Mix(slot.rng.draw()),
        };
        slot.disk.crash(outcome);
        self.set_hook(server);
        self.recorder(server).lock().stopped(server);
        self.drop_links(server, false);
        self.drop_clients(server, false);
    }

    /// The server stopped itself.
    // spec: P-DIE
    fn die(&mut self, server: usize, why: &str) {
        self.kill(server, why);
        self.slots[server].wanted = true;
        self.retry_start(server);
    }

    pub(crate) fn set_hook(&mut self, server: usize) {
        let slot = &self.slots[server];
        if !slot.full {
            return slot.disk.clear_hook();
        }
        slot.disk.set_hook(|call: &Call| match call.kind {
            CallKind::Create | CallKind::Write { .. } => Verdict::Fail(ENOSPC),
            CallKind::Open
            | CallKind::Read { .. }
            | CallKind::SetLen { .. }
            | CallKind::SyncData
            | CallKind::SyncDir
            | CallKind::Rename
            | CallKind::Remove => Verdict::Proceed,
        });
    }

    // spec: FT-DISK-05, FT-DISK-06
    pub(crate) fn fail_next_sync(&mut self, server: usize) {
        let mut failed = false;
        self.slots[server].disk.set_hook(move |call: &Call| {
            if call.kind == CallKind::SyncData && !std::mem::replace(&mut failed, true) {
                return Verdict::Fail(EIO);
            }
            Verdict::Proceed
        });
    }

    // ---- the driver

    /// The driver runs then, or earlier if it was to.
    pub(crate) fn wake(&mut self, server: usize, at: Us) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        if process.step_at.is_some_and(|planned| planned <= at) {
            return;
        }
        process.step_at = Some(at);
        let incarnation = process.incarnation;
        self.at(
            at,
            Happening::Step {
                server,
                incarnation,
            },
        );
    }

    /// An input for the driver; it runs a little later.
    pub(crate) fn input(&mut self, server: usize, input: Input) {
        let soon = 20 + self.slots[server].rng.below(100);
        if let Some(process) = &mut self.slots[server].process {
            process.inbox.push(input);
            self.wake(server, self.now + soon);
        }
    }

    pub(crate) fn step(&mut self, server: usize, incarnation: u64) {
        let (now, at) = (self.clocks(server), self.now);
        let Some(process) = self.process(server, incarnation) else {
            return;
        };
        if process.step_at.is_none_or(|planned| planned > at) {
            return;
        }
        process.step_at = None;
        let inputs = std::mem::take(&mut process.inbox);
        let mut outputs = Vec::new();
        if let Err(error) = process.node.step(now, inputs, &mut outputs) {
            let what = format!("server {} stops: {error}", server + 1);
            self.fail("S25", what, 0);
            return self.die(server, "broken");
        }
        self.carry_out(server, outputs);
        self.answer_clients(server);
        let at = self.now;
        if let Some(process) = self.process(server, incarnation)
            && let Some(next_ms) = process.node.next_ms()
        {
            let wait = next_ms.saturating_sub(now.mono_ms).max(1) * MS;
            self.wake(server, (at / MS) * MS + wait);
        }
    }

    fn carry_out(&mut self, server: usize, outputs: Vec<Output>) {
        let mut writes = Vec::new();
        for output in outputs {
            match output {
                Output::Persist { id, write } => {
                    if let zab::Write::Install { snapshot } = write {
                        writes.extend(self.received(server, snapshot.0));
                    }
                    writes.push(Command::Write { id, write });
                }
                Output::SnapshotDue => {
                    writes.push(Command::Roll);
                    self.snapshot_due(server);
                }
                Output::Diverged { zxid } => {
                    self.fail(
                        "INV-12",
                        format!("server {server} differs from its leader"),
                        zxid.0,
                    );
                }
                Output::Notify { to, notification } => {
                    self.notify(server, index(to), notification);
                }
                Output::Dial { leader } => self.begin_dial(server, index(leader)),
                Output::HangUp => {
                    if let Some(process) = &mut self.slots[server].process {
                        process.dial = None;
                    }
                }
                Output::Send { link, message } => self.send(server, link, message),
                Output::SendSnapshot { link, zxid } => self.begin_stream(server, link, zxid.0),
                Output::Disconnect { link, why } => {
                    self.say(|| format!("{} closes {link:?}: {why:?}", server + 1));
                    self.close_link(server, link);
                }
                Output::Report(report) => {
                    self.say(|| format!("{} reports {report:?}", server + 1));
                }
            }
        }
        if let Some(process) = &mut self.slots[server].process
            && !writes.is_empty()
        {
            process.log_queue.extend(writes);
            self.begin_log(server);
        }
    }

    // ---- the log thread

    fn begin_log(&mut self, server: usize) {
        let (low, high) = self.plan.fsync_us;
        let slot = &mut self.slots[server];
        let limp = slot.limp_us;
        let Some(process) = &mut slot.process else {
            return;
        };
        if process.log_batch.is_some() || process.log_queue.is_empty() {
            return;
        }
        process.log_batch = Some(std::mem::take(&mut process.log_queue));
        let incarnation = process.incarnation;
        let at = self.now + limp + slot.rng.between(low, high);
        self.at(
            at,
            Happening::LogDone {
                server,
                incarnation,
            },
        );
    }

    pub(crate) fn log_done(&mut self, server: usize, incarnation: u64) {
        let Some(process) = self.process(server, incarnation) else {
            return;
        };
        let Some(batch) = process.log_batch.take() else {
            return;
        };
        let done = match process.keeper.write(batch) {
            Ok(done) => done,
            Err(error) => return self.die(server, &error.to_string()),
        };
        process.shared.totals.fsyncs.add(1);
        if let Some(zxid) = process.keeper.synced() {
            process.shared.set_durable(zxid);
        }
        if let Some(through) = done.through {
            self.recorder(server).lock().durable(server, through);
        }
        if let Some(tree) = done.tree {
            self.input(server, Input::Reloaded(tree));
        }
        if let Some(through) = done.through {
            self.input(server, Input::Persisted(through));
        }
        self.begin_log(server);
        self.prepare(server);
    }

    /// Has the next log file made, once this one is half full.
    fn prepare(&mut self, server: usize) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        match process.keeper.take_filler() {
            Ok(None) => {}
            Ok(Some(filler)) => {
                process.filler = Some(filler);
                self.next_fill_step(server);
            }
            Err(error) => self.say(|| format!("{}: no next log file: {error}", server + 1)),
        }
    }

    fn next_fill_step(&mut self, server: usize) {
        let incarnation = self.slots[server].incarnation;
        self.at(
            self.now + 2 * MS,
            Happening::FillStep {
                server,
                incarnation,
            },
        );
    }

    /// As the fill thread does it, with writes of the log in between.
    pub(crate) fn fill_step(&mut self, server: usize, incarnation: u64) {
        let Some(process) = self.process(server, incarnation) else {
            return;
        };
        let Some(mut filler) = process.filler.take() else {
            return;
        };
        match filler.step() {
            Ok(true) => process.keeper.return_filler(filler),
            Ok(false) => {
                process.filler = Some(filler);
                self.next_fill_step(server);
            }
            Err(error) => {
                process.keeper.return_filler(filler);
                self.say(|| format!("{}: no next log file: {error}", server + 1));
            }
        }
    }

    // ---- snapshots

    fn snapshot_due(&mut self, server: usize) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        if process.snapshot.is_some() {
            process.snapshot_due = true;
            return;
        }
        match SnapshotJob::begin(&process.shared, &process.store, Compression::None) {
            Ok(job) => {
                process.snapshot = Some(job);
                self.next_snapshot_step(server);
            }
            // spec: FT-DISK-09. A failed attempt costs nothing; the next one tries again.
            Err(error) => self.say(|| format!("{}: a snapshot failed: {error}", server + 1)),
        }
    }

    fn next_snapshot_step(&mut self, server: usize) {
        let incarnation = self.slots[server].incarnation;
        self.at(
            self.now + 2 * MS,
            Happening::SnapshotStep {
                server,
                incarnation,
            },
        );
    }

    pub(crate) fn snapshot_step(&mut self, server: usize, incarnation: u64) {
        let Some(process) = self.process(server, incarnation) else {
            return;
        };
        let Some(mut job) = process.snapshot.take() else {
            return;
        };
        let step = job.step(&process.shared);
        let whole = match step {
            Ok(Some(_)) => false,
            Ok(None) => process.shared.durable() >= job.shows(),
            Err(error) => {
                return self.say(|| format!("{}: a snapshot failed: {error}", server + 1));
            }
        };
        if !whole {
            process.snapshot = Some(job);
            return self.next_snapshot_step(server);
        }
        let finished = job.finish(&process.shared.settings);
        let purged =
            finished.and_then(|_| process.purger.purge(&process.store, RETAIN, None).map(drop));
        let again = std::mem::take(&mut process.snapshot_due);
        match purged {
            Ok(()) => self.totals.snapshots += 1,
            Err(error) => self.say(|| format!("{}: a snapshot failed: {error}", server + 1)),
        }
        if again {
            self.snapshot_due(server);
        }
    }

    // ---- the election port

    fn notify(&mut self, from: usize, to: usize, notification: Notification) {
        if to >= self.slots.len() {
            return;
        }
        let waiting = self.net.votes[from][to].replace(notification).is_some();
        if !waiting {
            let at = self.now + self.net.delay(from, to);
            self.at(at, Happening::Vote { from, to });
        }
    }

    pub(crate) fn vote(&mut self, from: usize, to: usize) {
        if self.net.is_cut(from, to) || self.net.votes[from][to].is_none() {
            return;
        }
        if self.slots[to].process.is_none() {
            // The sender's connection manager tries again.
            return self.at(self.now + 500 * MS, Happening::Vote { from, to });
        }
        if let Some(notification) = self.net.votes[from][to].take() {
            let from = ServerId(from as i64 + 1);
            self.input(to, Input::Notified { from, notification });
        }
    }

    // ---- the quorum port

    fn begin_dial(&mut self, server: usize, leader: usize) {
        let at = self.now + self.net.delay(server, leader);
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        process.dials += 1;
        let number = process.dials;
        process.dial = Some(Dial {
            leader,
            refused: 0,
            number,
        });
        let incarnation = process.incarnation;
        self.at(
            at,
            Happening::Dial {
                server,
                incarnation,
                number,
            },
        );
    }

    pub(crate) fn dial(&mut self, server: usize, incarnation: u64, number: u64) {
        let Some(dial) = self
            .process(server, incarnation)
            .and_then(|process| process.dial)
        else {
            return;
        };
        if dial.number != number {
            return;
        }
        let leader = dial.leader;
        let reachable = self.net.connects(server, leader);
        let listening = self.slots[leader].process.as_ref().filter(|process| {
            process.node.status().role == RoleKind::Leading && process.paused_until <= self.now
        });
        if let (true, Some(process)) = (reachable, listening) {
            let there = (leader, process.incarnation);
            let link = self.net.open((server, incarnation), there);
            if let Some(process) = self.process(server, incarnation) {
                process.dial = None;
            }
            let peer = ServerId(leader as i64 + 1);
            return self.input(server, Input::Connected { link, peer });
        }
        let pause = if reachable {
            DIAL_PAUSE
        } else {
            CONNECT_TIMEOUT
        };
        let at = self.now + pause;
        let Some(process) = self.process(server, incarnation) else {
            return;
        };
        let refused = dial.refused + 1;
        if refused < DIALS {
            process.dial = Some(Dial { refused, ..dial });
            return self.at(
                at,
                Happening::Dial {
                    server,
                    incarnation,
                    number,
                },
            );
        }
        process.dial = None;
        let leader = ServerId(leader as i64 + 1);
        self.input(server, Input::Unreachable { leader });
    }

    /// Which end of the link this server holds, if it is open.
    fn end_of(&self, server: usize, link: LinkId) -> Option<usize> {
        let link = self.net.links.get(&link)?;
        let incarnation = self.slots[server].incarnation;
        (0..2).find(|end| {
            let it = &link.ends[*end];
            it.server == server && it.incarnation == incarnation && it.open
        })
    }

    fn send(&mut self, server: usize, link: LinkId, message: Message<Bytes>) {
        let mut bytes = Vec::new();
        Packet::from_core(message, "").encode(&mut bytes);
        let bytes = Bytes::from(bytes);
        if let Some(process) = &mut self.slots[server].process
            && let Some(stream) = process.streams.get_mut(&link)
        {
            return stream.behind.push_back(bytes);
        }
        self.transmit(server, link, Frame::Packet(bytes));
    }

    fn transmit(&mut self, server: usize, link: LinkId, frame: Frame) {
        let Some(end) = self.end_of(server, link) else {
            return;
        };
        let other = 1 - end;
        let Some(to) = self.net.links.get(&link).map(|it| it.ends[other].server) else {
            return;
        };
        let delay = self.net.delay(server, to);
        if let Some(it) = self.net.links.get_mut(&link) {
            let at = it.ends[other].pipe.push(self.now, delay, frame);
            self.at(at, Happening::LinkMail { link, end: other });
        }
    }

    fn close_link(&mut self, server: usize, link: LinkId) {
        let Some(end) = self.end_of(server, link) else {
            return;
        };
        self.transmit(server, link, Frame::End);
        if let Some(it) = self.net.links.get_mut(&link) {
            it.ends[end].open = false;
            it.ends[end].pipe.clear();
        }
        self.forget_link(server, link);
    }

    /// What a process keeps for a link goes with it.
    fn forget_link(&mut self, server: usize, link: LinkId) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        process.streams.remove(&link);
        process.incoming.take_if(|it| it.0 == link);
        if let Some(it) = self.net.links.get(&link)
            && it.ends.iter().all(|end| !end.open)
        {
            self.net.links.remove(&link);
        }
    }

    fn drop_links(&mut self, server: usize, orderly: bool) {
        for votes in &mut self.net.votes[server] {
            *votes = None;
        }
        let links: Vec<LinkId> = self.net.links.keys().copied().collect();
        for link in links {
            if self.end_of(server, link).is_none() {
                continue;
            }
            if orderly {
                self.transmit(server, link, Frame::End);
            }
            let Some(it) = self.net.links.get_mut(&link) else {
                continue;
            };
            for end in it.ends.iter_mut().filter(|end| end.server == server) {
                end.open = false;
                end.pipe.clear();
            }
            if it.ends.iter().all(|end| !end.open) {
                self.net.links.remove(&link);
            }
        }
    }

    pub(crate) fn link_mail(&mut self, link: LinkId, end: usize) {
        loop {
            let now = self.now;
            let Some(it) = self.net.links.get(&link) else {
                return;
            };
            let (to, from) = (it.ends[end].server, it.ends[1 - end].server);
            if self.net.is_cut(from, to) {
                return;
            }
            let Some(it) = self.net.links.get_mut(&link) else {
                return;
            };
            let Some(frame) = it.ends[end].pipe.pop(now) else {
                return;
            };
            if it.ends[end].open {
                self.got_frame(to, link, end, frame);
            } else if self.slots[to].process.is_some() && !matches!(frame, Frame::End) {
                // A reset: the sender learns that nobody is there any more.
                self.reset(link, 1 - end);
            }
        }
    }

    fn reset(&mut self, link: LinkId, end: usize) {
        let Some(it) = self.net.links.get(&link) else {
            return;
        };
        let (to, from) = (it.ends[end].server, it.ends[1 - end].server);
        let delay = self.net.delay(from, to);
        if let Some(it) = self.net.links.get_mut(&link) {
            let at = it.ends[end].pipe.push(self.now, delay, Frame::End);
            self.at(at, Happening::LinkMail { link, end });
        }
    }

    fn got_frame(&mut self, server: usize, link: LinkId, end: usize, frame: Frame) {
        match frame {
            Frame::End => {
                if let Some(it) = self.net.links.get_mut(&link) {
                    it.ends[end].open = false;
                    it.ends[end].pipe.clear();
                }
                let announced =
                    end == 0 || self.net.links.get(&link).is_some_and(|it| it.announced);
                self.forget_link(server, link);
                if announced {
                    self.input(server, Input::Disconnected { link });
                }
            }
            Frame::Packet(bytes) => self.got_packet(server, link, end, &bytes),
            Frame::Chunk(bytes) => self.got_chunk(server, link, &bytes),
        }
    }

    fn got_packet(&mut self, server: usize, link: LinkId, end: usize, bytes: &Bytes) {
        let message = match Packet::decode(bytes).and_then(Packet::into_core) {
            Ok(message) => message,
            Err(error) => {
                return self.fail(
                    "P-SAFE",
                    format!("a peer's packet does not decode: {error}"),
                    0,
                );
            }
        };
        if end == 0
            && let Some(process) = &mut self.slots[server].process
        {
            process.heard_at = self.now;
        }
        let peer = match &message {
            Message::FollowerInfo { id, .. } | Message::ObserverInfo { id, .. } if end == 1 => {
                Some(*id)
            }
            _ => None,
        };
        if let Some(peer) = peer {
            if let Some(it) = self.net.links.get_mut(&link) {
                it.announced = true;
            }
            self.input(server, Input::Connected { link, peer });
        }
        if let Message::Snap { zxid } = message {
            return self.begin_incoming(server, link, zxid.0);
        }
        self.input(server, Input::Received { link, message });
    }

    // ---- snapshots to learners

    fn begin_stream(&mut self, server: usize, link: LinkId, zxid: i64) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        if process.shared.applied() < zxid {
            let what = format!(
                "server {} streams {zxid:#x} from a tree at {:#x}",
                server + 1,
                process.shared.applied()
            );
            return self.fail("S13", what, zxid);
        }
        let outgoing = Outgoing::begin(&process.shared);
        let behind = VecDeque::new();
        process.streams.insert(link, Stream { outgoing, behind });
        let incarnation = process.incarnation;
        self.at(
            self.now,
            Happening::StreamStep {
                server,
                incarnation,
                link,
            },
        );
    }

    pub(crate) fn stream_step(&mut self, server: usize, incarnation: u64, link: LinkId) {
        let Some(process) = self.process(server, incarnation) else {
            return;
        };
        let Some(stream) = process.streams.get_mut(&link) else {
            return;
        };
        let mut chunk = Vec::new();
        let last = stream.outgoing.next(&process.shared, &mut chunk);
        let behind = if last {
            process.streams.remove(&link).map(|stream| stream.behind)
        } else {
            None
        };
        // In pieces that cut records anywhere.
        for part in chunk.chunks(3001) {
            self.transmit(server, link, Frame::Chunk(part.to_vec()));
        }
        for packet in behind.into_iter().flatten() {
            self.transmit(server, link, Frame::Packet(packet));
        }
        if !last {
            self.at(
                self.now + MS,
                Happening::StreamStep {
                    server,
                    incarnation,
                    link,
                },
            );
        }
    }

    fn begin_incoming(&mut self, server: usize, link: LinkId, zxid: i64) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        process.prepared = None;
        match Incoming::begin(&process.store, zxid, Compression::None) {
            Ok(incoming) => process.incoming = Some((link, zxid, incoming)),
            Err(error) => self.die(server, &error.to_string()),
        }
    }

    fn got_chunk(&mut self, server: usize, link: LinkId, bytes: &[u8]) {
        let Some(process) = &mut self.slots[server].process else {
            return;
        };
        let Some((of, zxid, mut incoming)) = process.incoming.take() else {
            return;
        };
        if of != link {
            process.incoming = Some((of, zxid, incoming));
            return;
        }
        match incoming.receive(bytes) {
            Ok(None) => process.incoming = Some((of, zxid, incoming)),
            Ok(Some(_)) => match incoming.finish() {
                Ok(prepared) => {
                    process.prepared = Some((link, prepared));
                    let zxid = zab::Zxid(zxid);
                    let message = Message::Snap { zxid };
                    self.input(server, Input::Received { link, message });
                }
                Err(error) => self.die(server, &error.to_string()),
            },
            Err(error) => {
                if !self.slots[server].full {
                    let what = format!("server {}: a stream does not load: {error}", server + 1);
                    self.fail("P-SAFE", what, zxid);
                }
                self.die(server, "bad stream");
            }
        }
    }

    fn received(&mut self, server: usize, zxid: i64) -> Option<Command> {
        let process = self.slots[server].process.as_mut()?;
        let (_, prepared) = process.prepared.take()?;
        (prepared.zxid() == zxid).then_some(Command::Received(prepared))
    }
}
