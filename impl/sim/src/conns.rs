//! Clients' connections: bytes both ways through the production `Conn`.

use crate::history::Heard;
use crate::net::Pipe;
use crate::plan::{MS, SYNC_LIMIT, TICK_MS};
use crate::process::SimBell;
use crate::world::{Happening, World};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use zk_node::conn::lane::{End, Lane};
use zk_node::stats::Mode;
use zk_node::{Ask, Conn, Input};

/// What travels between a client and its server.
#[derive(Debug)]
pub enum Mail {
    Connect,
    Bytes(Vec<u8>),
    /// The sender has closed.
    End,
}

#[derive(Debug)]
pub struct Connection {
    pub client: usize,
    pub server: usize,
    pub incarnation: u64,
    /// The server's side, once accepted and until closed.
    pub conn: Option<Conn>,
    pub client_open: bool,
    pub up: Pipe<Mail>,
    pub down: Pipe<Mail>,
    /// Frames that the client has received.
    pub order: u64,
}

impl World {
    /// A client dials; its first bytes follow at once.
    pub(crate) fn open_conn(&mut self, client: usize, server: usize) -> u64 {
        let id = self.next_conn;
        self.next_conn += 1;
        self.conns.insert(
            id,
            Connection {
                client,
                server,
                incarnation: 0,
                conn: None,
                client_open: true,
                up: Pipe::default(),
                down: Pipe::default(),
                order: 0,
            },
        );
        self.send_up(id, Mail::Connect);
        id
    }

    pub(crate) fn send_up(&mut self, id: u64, mail: Mail) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let delay = self.net.client_delay(conn.server);
        let at = conn.up.push(self.now, delay, mail);
        self.at(at, Happening::ToServer { conn: id });
    }

    fn send_down(&mut self, id: u64, mail: Mail) {
        let Some(conn) = self.conns.get_mut(&id) else {
            return;
        };
        let delay = self.net.client_delay(conn.server);
        let at = conn.down.push(self.now, delay, mail);
        self.at(at, Happening::ToClient { conn: id });
    }

    pub(crate) fn server_mail(&mut self, id: u64) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else {
                return;
            };
            let server = conn.server;
            if self.net.clients_cut(server) {
                return;
            }
            let stalled = conn.conn.as_ref().is_some_and(|conn| !conn.wants_input());
            if stalled {
                return;
            }
            let Some(mail) = conn.up.pop(self.now) else {
                return;
            };
            match mail {
                Mail::Connect => self.accept(id),
                Mail::Bytes(bytes) => self.got_bytes(id, &bytes),
                Mail::End => {
                    self.leave(id);
                    return self.forget_conn(id);
                }
            }
        }
    }

    fn accept(&mut self, id: u64) {
        let Some(server) = self.conns.get(&id).map(|conn| conn.server) else {
            return;
        };
        let now = self.clocks(server);
        let Some(process) = &self.slots[server].process else {
            return self.send_down(id, Mail::End);
        };
        let Some(client) = self.conns.get(&id).map(|conn| conn.client) else {
            return;
        };
        let address = IpAddr::V4(Ipv4Addr::new(10, 0, 1, client as u8));
        let peer = SocketAddr::new(address, 1024 + (id % 60_000) as u16);
        let Some(number) = process.shared.enter(peer) else {
            return self.send_down(id, Mail::End);
        };
        let bell = SimBell {
            conn: id,
            rung: Arc::clone(&process.rung),
        };
        let lane = Arc::new(Lane::new(number, peer, false, Box::new(bell), now));
        let accepted = Conn::new(Arc::clone(&process.shared), lane, now);
        let deadline_ms = accepted.deadline_ms();
        let incarnation = process.incarnation;
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.conn = Some(accepted);
            conn.incarnation = incarnation;
        }
        let at = self.now + deadline_ms.saturating_sub(now.mono_ms) * MS;
        self.at(at, Happening::ConnDeadline { conn: id });
    }

    fn got_bytes(&mut self, id: u64, bytes: &[u8]) {
        let Some(connection) = self.conns.get_mut(&id) else {
            return;
        };
        let (server, at) = (connection.server, self.now);
        let Some(conn) = &mut connection.conn else {
            // Nobody is there: a reset, if the machine is up.
            return self.send_down(id, Mail::End);
        };
        let slot = &self.slots[server];
        let now = crate::process::clocks(&slot.identity, slot.wall_offset_ms, at);
        let mut asks = Vec::new();
        conn.receive(now, bytes, &mut asks);
        let attached = conn.lane().lock().attached.as_ref().map(|it| it.session.id);
        let client = &self.clients[connection.client];
        let asked_for = client.held.as_ref().map(|held| held.id);
        if let Some(session) = attached.or(asked_for) {
            self.history.heard.push(Heard {
                at,
                server,
                session,
                attached: attached.is_some(),
            });
        }
        self.hand_over(server, asks);
        self.flush(id);
        self.answer_clients(server);
    }

    fn hand_over(&mut self, server: usize, asks: Vec<Ask>) {
        for ask in asks {
            self.input(server, Input::Ask(ask));
        }
    }

    /// The rung connections go on.
    pub(crate) fn answer_clients(&mut self, server: usize) {
        loop {
            let Some(process) = &self.slots[server].process else {
                return;
            };
            let rung = process.take_rung();
            if rung.is_empty() {
                return;
            }
            for id in rung {
                let now = self.clocks(server);
                let mut asks = Vec::new();
                if let Some(conn) = self.conns.get_mut(&id).and_then(|it| it.conn.as_mut()) {
                    conn.resume(now, &mut asks);
                }
                self.hand_over(server, asks);
                self.flush(id);
                self.at(self.now, Happening::ToServer { conn: id });
            }
        }
    }

    /// What the lane holds goes out; a connection that has ended is closed.
    fn flush(&mut self, id: u64) {
        let Some(connection) = self.conns.get(&id) else {
            return;
        };
        let server = connection.server;
        let now = self.clocks(server);
        let connection = self.conns.get_mut(&id);
        let Some(conn) = connection.and_then(|it| it.conn.as_mut()) else {
            return;
        };
        let (bytes, end) = conn.take_output(Vec::new());
        if !bytes.is_empty() {
            conn.sent(now);
        }
        // A connection that is closed at once may or may not have been written to before.
        if !bytes.is_empty() && (end != End::Now || self.slots[server].rng.chance(500)) {
            self.check_stale(server, &bytes);
            self.send_down(id, Mail::Bytes(bytes));
        }
        if end != End::Open {
            self.leave(id);
            self.send_down(id, Mail::End);
        }
    }

    /// No answer of a server that has lost its leader.
    // spec: INV-06, P-STOP
    fn check_stale(&self, server: usize, bytes: &[u8]) {
        let Some(process) = &self.slots[server].process else {
            return;
        };
        let learner = matches!(process.shared.mode(), Mode::Follower | Mode::Observer);
        let silent = self.now.saturating_sub(process.heard_at);
        let limit = (SYNC_LIMIT + 1) * TICK_MS * MS;
        if learner && silent > limit {
            let what = format!(
                "server {} answers {} bytes {silent} us after it last heard its leader",
                server + 1,
                bytes.len()
            );
            self.fail("INV-06", what, 0);
        }
    }

    pub(crate) fn conn_deadline(&mut self, id: u64) {
        let Some(connection) = self.conns.get(&id) else {
            return;
        };
        let Some(conn) = &connection.conn else { return };
        let now = self.clocks(connection.server);
        let deadline_ms = conn.deadline_ms();
        if deadline_ms > now.mono_ms {
            // What came and went since it was set has moved it.
            let at = self.now + (deadline_ms - now.mono_ms) * MS;
            return self.at(at, Happening::ConnDeadline { conn: id });
        }
        self.leave(id);
        self.send_down(id, Mail::End);
    }

    /// The server's side is over.
    fn leave(&mut self, id: u64) {
        let Some(connection) = self.conns.get_mut(&id) else {
            return;
        };
        if let Some(conn) = connection.conn.take()
            && let Some(process) = &self.slots[connection.server].process
            && process.incarnation == connection.incarnation
        {
            process.shared.leave(conn.lane());
        }
    }

    fn forget_conn(&mut self, id: u64) {
        let gone = self
            .conns
            .get(&id)
            .is_some_and(|it| it.conn.is_none() && !it.client_open);
        if gone {
            self.conns.remove(&id);
        }
    }

    /// The client closes its side.
    pub(crate) fn close_client_side(&mut self, id: u64) {
        self.send_up(id, Mail::End);
        if let Some(conn) = self.conns.get_mut(&id) {
            conn.client_open = false;
            conn.down.clear();
        }
    }

    /// A process ended, in order (its kernel says so) or with its machine.
    pub(crate) fn drop_clients(&mut self, server: usize, orderly: bool) {
        let ids: Vec<u64> = self
            .conns
            .iter()
            .filter(|(_, it)| it.server == server && it.conn.is_some())
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            if let Some(conn) = self.conns.get_mut(&id) {
                conn.conn = None;
            }
            if orderly {
                self.send_down(id, Mail::End);
            }
            self.forget_conn(id);
        }
    }

    pub(crate) fn client_mail(&mut self, id: u64) {
        loop {
            let Some(conn) = self.conns.get_mut(&id) else {
                return;
            };
            if self.net.clients_cut(conn.server) {
                return;
            }
            let Some(mail) = conn.down.pop(self.now) else {
                return;
            };
            if !conn.client_open {
                continue;
            }
            let client = conn.client;
            match mail {
                Mail::Connect => {}
                Mail::Bytes(bytes) => self.client_got(client, id, &bytes),
                Mail::End => {
                    if let Some(conn) = self.conns.get_mut(&id) {
                        conn.client_open = false;
                    }
                    self.forget_conn(id);
                    self.client_lost(client, id);
                }
            }
        }
    }
}
