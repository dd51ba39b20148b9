//! One client's task: socket bytes to the connection's state machine and its lane's
//! bytes to the socket. At most one read and one write call a batch of requests.

use super::clients::Port;
use super::fault::{self, Turn};
use std::cell::RefCell;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};
use zk_node::conn::lane::{Bell, End};
use zk_node::{Ask, Conn, Input};

/// One read's most bytes.
const SCRATCH_BYTES: usize = 64 << 10;

thread_local! {
    /// A connection owns no buffer while it waits (FT-CON-07).
    static SCRATCH: RefCell<Scratch> = RefCell::new(Scratch {
        input: vec![0; SCRATCH_BYTES],
        asks: Vec::new(),
    });
}

struct Scratch {
    input: Vec<u8>,
    /// Empty between two turns.
    asks: Vec<Ask>,
}

/// Wakes a connection's task.
#[derive(Debug, Default)]
pub(crate) struct TaskBell {
    rung: AtomicBool,
    task: Mutex<Option<Waker>>,
}

impl TaskBell {
    /// True if it was rung since the last call; otherwise the task is woken when it is.
    fn heard(&self, cx: &Context<'_>) -> bool {
        if self.rung.swap(false, Ordering::AcqRel) {
            return true;
        }
        let mut task = self.task.lock().unwrap_or_else(PoisonError::into_inner);
        if task
            .as_ref()
            .is_none_or(|waker| !waker.will_wake(cx.waker()))
        {
            *task = Some(cx.waker().clone());
        }
        drop(task);
        // It may have been rung before the waker was in place.
        self.rung.swap(false, Ordering::AcqRel)
    }
}

/// The lane's end of a `TaskBell`.
pub(crate) struct Rope(pub(crate) Arc<TaskBell>);

impl Bell for Rope {
    fn ring(&self) {
        if self.0.rung.swap(true, Ordering::AcqRel) {
            return;
        }
        let task = self
            .0
            .task
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(task) = task {
            task.wake();
        }
    }
}

/// Why a turn of the task ended it.
enum Ending {
    /// The lane said so, and all is written.
    Ended,
    /// The peer closed, or the socket failed.
    Gone,
    /// No first frame in time, or silent for too long.
    TooLate,
}

pub(crate) struct Connection<S> {
    port: Arc<Port>,
    conn: Conn,
    bell: Arc<TaskBell>,
    stream: S,
    unsent: Vec<u8>,
    sent: usize,
    end: End,
    /// The client closed its side: nothing is read or written any more.
    gone: bool,
    deadline: Pin<Box<Sleep>>,
}

/// Serves until the connection ends, and tells the node that it has. By hand: an `async fn` would hold the connection
/// twice, and there are as many of them as sessions.
impl<S: AsyncRead + AsyncWrite + Unpin> Future for Connection<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        let ending = ready!(this.turn(cx));
        if matches!(ending, Ending::TooLate) {
            this.port.shared.totals.sessionless_expired.add(1);
        }
        this.port.shared.leave(this.conn.lane());
        Poll::Ready(())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Connection<S> {
    pub(crate) fn new(port: Arc<Port>, conn: Conn, bell: Arc<TaskBell>, stream: S) -> Self {
        let at = port.clock.instant(conn.deadline_ms());
        let deadline = Box::pin(sleep_until(Instant::from_std(at)));
        Self {
            port,
            conn,
            bell,
            stream,
            unsent: Vec::new(),
            sent: 0,
            end: End::Open,
            gone: false,
            deadline,
        }
    }

    fn turn(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        fault::pass(Turn::Clients);
        loop {
            if self.bell.heard(cx) {
                self.resume();
            }
            if self.gone {
                if !self.conn.has_more() {
                    return Poll::Ready(Ending::Gone);
                }
                return self.wait(cx);
            }
            match self.write(cx) {
                Ok(()) => {}
                Err(_) => return Poll::Ready(Ending::Gone),
            }
            let drained = self.unsent.is_empty();
            if self.end == End::Now || (self.end == End::AfterOutput && drained) {
                return Poll::Ready(Ending::Ended);
            }
            if self.end == End::Open && drained && self.conn.may_go_on() {
                self.resume();
                continue;
            }
            if self.end == End::Open && drained && self.conn.wants_input() {
                match self.read(cx) {
                    Poll::Ready(Ok(0)) | Poll::Ready(Err(_)) => {
                        self.gone = true;
                        if !self.conn.input_ended() {
                            return Poll::Ready(Ending::Gone);
                        }
                    }
                    Poll::Ready(Ok(_)) => continue,
                    Poll::Pending => {}
                }
            }
            return self.wait(cx);
        }
    }

    fn resume(&mut self) {
        SCRATCH.with_borrow_mut(|scratch| {
            self.conn.resume(self.port.clock.now(), &mut scratch.asks);
            self.hand_over(&mut scratch.asks);
        });
    }

    /// Everything is tried; the bell, the socket or the deadline goes on.
    fn wait(&mut self, cx: &mut Context<'_>) -> Poll<Ending> {
        // Looked at only when the timer fires: what comes and goes moves the deadline, and need not move the timer.
        loop {
            ready!(self.deadline.as_mut().poll(cx));
            let at = self.port.clock.instant(self.conn.deadline_ms());
            let at = Instant::from_std(at);
            if at <= self.deadline.deadline() {
                return Poll::Ready(Ending::TooLate);
            }
            self.deadline.as_mut().reset(at);
        }
    }

    fn read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let mut buffer = ReadBuf::new(&mut scratch.input);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
                Poll::Ready(Ok(())) => {
                    let bytes = buffer.filled();
                    self.conn
                        .receive(self.port.clock.now(), bytes, &mut scratch.asks);
                    let len = bytes.len();
                    self.hand_over(&mut scratch.asks);
                    Poll::Ready(Ok(len))
                }
            }
        })
    }

    /// Gives the driver what is for it, and answers a four-letter word.
    fn hand_over(&mut self, asks: &mut Vec<Ask>) {
        if !asks.is_empty() {
            self.port.driver.extend(asks.drain(..).map(Input::Ask));
        }
        if let Some((word, argument)) = self.conn.take_word() {
            let answer = self.port.answer(word, &argument, self.conn.lane().secure);
            let mut state = self.conn.lane().lock();
            state.out.extend_from_slice(answer.as_bytes());
            state.close_after_output();
        }
    }

    /// Writes what the lane has, as far as the socket takes it.
    fn write(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            if self.unsent.is_empty() {
                (self.unsent, self.end) = self.conn.take_output(Vec::new());
                self.sent = 0;
                if self.unsent.is_empty() {
                    return Ok(());
                }
            }
            let rest = self.unsent.get(self.sent..).unwrap_or_default();
            match Pin::new(&mut self.stream).poll_write(cx, rest) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Err(error)) => return Err(error),
                Poll::Ready(Ok(written)) => {
                    self.port.shared.totals.bytes_sent.add(written as u64);
                    self.conn.sent(self.port.clock.now());
                    self.sent += written;
                    if self.sent >= self.unsent.len() {
                        self.unsent = Vec::new();
                    }
                }
            }
        }
    }
}
