"""kazoo's recipes, each by several clients of which one is killed while it holds or waits.

usage: kazoo_recipes.py HOST:PORT            runs all, prints a line for each
       kazoo_recipes.py HOST:PORT ROLE ROOT  becomes a victim: takes its part, says so, and waits for its end

A victim is a process of its own; SIGKILL ends it without a word to the server, so that the
others get on only when its session expires.
"""

import concurrent.futures
import datetime
import os
import signal
import subprocess
import sys
import threading
import time
import traceback

from kazoo.client import KazooClient
from kazoo.recipe.cache import TreeCache, TreeEvent

ADDRESS = sys.argv[1]
TIMEOUT = 3
PATIENCE = 40
VICTIMS, RECIPES = {}, {}


def connect():
    client = KazooClient(ADDRESS, timeout=TIMEOUT)
    client.start(PATIENCE)
    return client


def victim(part):
    VICTIMS[part.__name__] = part
    return part


def recipe(test):
    RECIPES[test.__name__] = test
    return test


def mark(role, root):
    """The znode that lives as long as the victim's session."""
    return "/victims/" + role + root.replace("/", "-")


class Killed:
    """A victim that has taken its part; `kill` ends it."""

    def __init__(self, role, root):
        self.mark = mark(role, root)
        self.process = subprocess.Popen(
            [sys.executable, __file__, ADDRESS, role, root], stdout=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        assert line == "ready\n", "victim %s said %r" % (role, line)

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.since = time.monotonic()
        return self.since

    def kill_and_expire(self, witness):
        """Until the session of the dead is over, which is neither at once nor never."""
        assert witness.exists(self.mark)
        self.kill()
        wait_for("the end of the session", lambda: not witness.exists(self.mark))
        expired(self.since)


def expired(since):
    """The others got on after the session's end, not before: nothing told the server."""
    took = time.monotonic() - since
    assert took > TIMEOUT * 0.4, "got on %.2f s after the kill" % took


def ready():
    print("ready", flush=True)


def ready_and_stuck(*args, **more):
    """In the place of a call that a victim does not live to make."""
    ready()
    threading.Event().wait()


def ready_after(call, path):
    """`call`, which says `ready` when it has left its watch on `path`."""
    def told(*args, **more):
        answer = call(*args, **more)
        if args[0] == path:
            ready()
        return answer
    return told


def wait_for(what, condition):
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "waited in vain for " + what
        time.sleep(0.02)


def in_thread(call, *args, **more):
    """Runs a blocking call; `result(PATIENCE)` of what it returns fails when it stays."""
    pool = concurrent.futures.ThreadPoolExecutor(1)
    return pool.submit(call, *args, **more)


# Lock: the holder dies, and one who waits dies too.

@victim
def lock_holder(client, root):
    client.Lock(root, "victim").acquire()
    ready()


@victim
def lock_waiter(client, root):
    lock = client.Lock(root, "waiting victim")
    threading.Thread(target=lock.acquire, daemon=True).start()
    wait_for("the wish", lambda: len(client.get_children(root)) == 2)
    ready()


@recipe
def lock(a, b, root):
    holder = Killed("lock_holder", root)
    lock = a.Lock(root, "a")
    acquired = in_thread(lock.acquire)
    wait_for("the contenders", lambda: lock.contenders() == ["victim", "a"])
    since = holder.kill()
    assert acquired.result(PATIENCE)
    expired(since)
    waiter = Killed("lock_waiter", root)
    after = in_thread(b.Lock(root, "b").acquire)
    wait_for("three wishes", lambda: len(a.get_children(root)) == 3)
    since = waiter.kill()
    lock.release()
    assert after.result(PATIENCE)
    expired(since)


# ReadLock and WriteLock: readers share, writers do not; a dead writer lets the readers in.

@victim
def write_holder(client, root):
    client.WriteLock(root, "victim").acquire()
    ready()


@victim
def read_holder(client, root):
    client.ReadLock(root, "victim").acquire()
    ready()


@recipe
def read_write_lock(a, b, root):
    holder = Killed("write_holder", root)
    locks = [a.ReadLock(root, "a"), b.ReadLock(root, "b")]
    waiting = [in_thread(lock.acquire) for lock in locks]
    wait_for("the wishes", lambda: len(a.get_children(root)) == 3)
    assert not any(w.done() for w in waiting)
    since = holder.kill()
    assert all(w.result(PATIENCE) for w in waiting)
    expired(since)
    assert not a.WriteLock(root, "w").acquire(blocking=False)
    reader = Killed("read_holder", root)
    for lock in locks:
        lock.release()
    writing = in_thread(a.WriteLock(root, "w").acquire)
    since = reader.kill()
    assert writing.result(PATIENCE)
    expired(since)


# Election: the leader dies.

@victim
def leader(client, root):
    def lead():
        ready()
        time.sleep(PATIENCE)
    client.Election(root, "victim").run(lead)


@recipe
def election(a, b, root):
    first = Killed("leader", root)
    led = []
    elections = [c.Election(root, name) for c, name in ((a, "a"), (b, "b"))]
    waiting = []
    for election, name in zip(elections, "ab"):
        waiting.append(in_thread(election.run, led.append, name))
        wait_for("the candidate", lambda: name in election.contenders())
    assert led == []
    since = first.kill()
    for w in waiting:
        w.result(PATIENCE)
    expired(since)
    assert led == ["a", "b"], led


# Counter: one dies between its read and its write, one while it counts. What they wrote counts once, and nothing else.

STEP = 1000


@victim
def counting(client, root):
    counter = client.Counter(root)
    for _ in range(3):
        counter += STEP
    client.set = ready_and_stuck
    counter += STEP


@victim
def racing(client, root):
    counter = client.Counter(root)
    counter += STEP
    ready()
    while True:
        counter += STEP


@recipe
def counter(a, b, root):
    stuck = Killed("counting", root)
    racer = Killed("racing", root)
    counters = [a.Counter(root), b.Counter(root)]

    def count(counter):
        for _ in range(20):
            counter += 2
            counter -= 1
    counted = [in_thread(count, counter) for counter in counters]
    wait_for("a race", lambda: counters[0].value > 10 * STEP)
    racer.kill_and_expire(b)
    stuck.kill_and_expire(a)
    for done in counted:
        done.result(PATIENCE)
    steps, rest = divmod(counters[0].value, STEP)
    assert rest == 40, counters[0].value
    # Each step is one write, and each write is counted by the znode's version.
    writes = a.get(root)[1].version
    assert writes == steps + 80, (writes, steps)
    count(counters[1])
    assert counters[0].value == steps * STEP + 60


# Barrier: one of those who wait dies; the others pass when it is lifted.

@victim
def barrier_waiter(client, root):
    client.exists = ready_after(client.exists, root)
    client.Barrier(root).wait()


@recipe
def barrier(a, b, root):
    a.Barrier(root).create()
    waiting = [in_thread(c.Barrier(root).wait, PATIENCE) for c in (a, b)]
    Killed("barrier_waiter", root).kill_and_expire(a)
    assert not any(w.done() for w in waiting)
    assert b.Barrier(root).remove()
    assert all(w.result(PATIENCE) for w in waiting)


# DoubleBarrier: one dies inside; the other may leave once its node is gone.

@victim
def inside(client, root):
    client.DoubleBarrier(root, 2, "victim").enter()
    ready()
    # A node of its own in the barrier holds the other until the session ends.


@recipe
def double_barrier(a, b, root):
    barrier = a.DoubleBarrier(root, 2, "a")
    entered = in_thread(barrier.enter)
    time.sleep(0.2)
    assert not entered.done()
    dead = Killed("inside", root)
    entered.result(PATIENCE)
    assert barrier.participating
    since = dead.kill()
    in_thread(barrier.leave).result(PATIENCE)
    expired(since)
    wait_for("an empty barrier", lambda: b.get_children(root) == [])


# Queue: one dies when it has read an item and not taken it yet. What it took is gone, what it held is not, and each item
# is taken once.

@victim
def putting_and_taking(client, root):
    queue = client.Queue(root)
    for n in range(10):
        queue.put(b"%d" % n)
    assert [queue.get(), queue.get()] == [b"0", b"1"]
    client.delete = ready_and_stuck
    queue.get()


@recipe
def queue(a, b, root):
    dead = Killed("putting_and_taking", root)
    assert len(a.Queue(root)) == 8
    dead.kill_and_expire(a)
    taken = []

    def take(client):
        queue = client.Queue(root)
        while (item := queue.get()) is not None:
            taken.append(item)
    for done in [in_thread(take, c) for c in (a, b)]:
        done.result(PATIENCE)
    assert sorted(taken) == [b"%d" % n for n in range(2, 10)], taken


# LockingQueue: an item whose taker dies comes back; one that comes when a waiter is dead goes to the other.

@victim
def taking(client, root):
    assert client.LockingQueue(root).get(PATIENCE) == b"first"
    ready()


@victim
def taker_in_waiting(client, root):
    # Its second question: the watches on items and on locks stand.
    client.get_children = ready_after(client.get_children, root + "/taken")
    client.LockingQueue(root).get()


@recipe
def locking_queue(a, b, root):
    a.LockingQueue(root).put_all([b"first", b"second"])
    dead = Killed("taking", root)
    other = b.LockingQueue(root)
    assert other.get(PATIENCE) == b"second" and other.consume()
    back = in_thread(other.get, PATIENCE)
    since = dead.kill()
    assert back.result(PATIENCE) == b"first"
    expired(since)
    assert other.holds_lock() and other.consume()
    assert len(a.LockingQueue(root)) == 0
    waiter = Killed("taker_in_waiting", root)
    third = in_thread(other.get, PATIENCE)
    waiter.kill_and_expire(a)
    assert not third.done()
    a.LockingQueue(root).put(b"third")
    assert third.result(PATIENCE) == b"third" and other.consume()


# Party: a dead member is missed.

@victim
def member(client, root):
    client.Party(root, "victim").join()
    ready()


@recipe
def party(a, b, root):
    a.Party(root, "a").join()
    dead = Killed("member", root)
    party = b.Party(root, "b")
    party.join()
    assert sorted(party) == ["a", "b", "victim"]
    shallow = b.ShallowParty(root)
    assert len(shallow) == 3
    since = dead.kill()
    wait_for("a smaller party", lambda: sorted(party) == ["a", "b"])
    expired(since)


# Semaphore: a dead holder's lease is free again.

@victim
def semaphore_holder(client, root):
    client.Semaphore(root, "victim", max_leases=2).acquire()
    ready()


@recipe
def semaphore(a, b, root):
    dead = Killed("semaphore_holder", root)
    first, second = (c.Semaphore(root, n, max_leases=2) for c, n in ((a, "a"), (b, "b")))
    assert first.acquire() and sorted(first.lease_holders()) == ["a", "victim"]
    assert not second.acquire(blocking=False)
    waiting = in_thread(second.acquire)
    since = dead.kill()
    assert waiting.result(PATIENCE)
    expired(since)


# Lease: outlives its holder's session, and ends by the clock.

LEASE = 3


@victim
def lease_holder(client, root):
    assert client.NonBlockingLease(root, datetime.timedelta(seconds=LEASE), identifier="victim")
    ready()


@recipe
def lease(a, b, root):
    taken = time.monotonic()
    dead = Killed("lease_holder", root)
    dead.kill()
    duration = datetime.timedelta(seconds=LEASE)
    assert not a.NonBlockingLease(root, duration, identifier="a")
    wait_for("the lease's end", lambda: a.NonBlockingLease(root, duration, identifier="a"))
    # kazoo writes the lease's end in whole seconds.
    assert time.monotonic() - taken > LEASE - 1
    assert not b.NonBlockingLease(root, duration, identifier="b")


# DataWatch, ChildrenWatch, TreeCache: a dead client's nodes go, and all who look see it.

@victim
def ephemeral(client, root):
    client.create(root + "/victim", b"1", ephemeral=True, makepath=True)
    ready()
    for n in range(2, 5):
        client.set(root + "/victim", b"%d" % n)


def note(seen):
    """A watcher that keeps what it is shown, without stat or event."""
    def shown(value, stat=None):
        seen.append(value)
    return shown


@recipe
def data_watch(a, b, root):
    a.ensure_path(root)
    seen = {"a": [], "b": []}
    for client, name in ((a, "a"), (b, "b")):
        client.DataWatch(root + "/victim", note(seen[name]))
    dead = Killed("ephemeral", root)
    wait_for("the data", lambda: all(s[-1] == b"4" for s in seen.values()))
    since = dead.kill()
    wait_for("the node's end", lambda: all(s[-1] is None for s in seen.values()))
    expired(since)
    assert all(s[0] is None for s in seen.values()), seen


@recipe
def children_watch(a, b, root):
    a.ensure_path(root)
    seen = {"a": [], "b": []}
    for client, name in ((a, "a"), (b, "b")):
        client.ChildrenWatch(root, note(seen[name]))
    dead = Killed("ephemeral", root)
    wait_for("the child", lambda: all(s[-1] == ["victim"] for s in seen.values()))
    since = dead.kill()
    wait_for("the child's end", lambda: all(s[-1] == [] for s in seen.values()))
    expired(since)


@recipe
def tree_cache(a, b, root):
    a.ensure_path(root)
    caches, events = [], []
    for client in (a, b):
        cache = TreeCache(client, root)
        mine = []
        cache.listen(lambda event, mine=mine: mine.append(event.event_type))
        cache.start()
        caches.append(cache)
        events.append(mine)
    wait_for("the caches", lambda: all(TreeEvent.INITIALIZED in mine for mine in events))
    dead = Killed("ephemeral", root)
    wait_for("the node", lambda: all(
        (data := cache.get_data(root + "/victim")) and data.data == b"4" for cache in caches))
    since = dead.kill()
    wait_for("the node's end", lambda: all(cache.get_data(root + "/victim") is None for cache in caches))
    expired(since)
    wait_for("the events", lambda: all(TreeEvent.NODE_REMOVED in mine for mine in events))
    for cache in caches:
        cache.close()


def perform(name):
    a, b = connect(), connect()
    try:
        RECIPES[name](a, b, "/recipes/" + name)
    finally:
        for client in (a, b):
            client.stop()
            client.close()


def main():
    if len(sys.argv) > 2:
        role, root = sys.argv[2:]
        client = connect()
        client.create(mark(role, root), ephemeral=True, makepath=True)
        VICTIMS[role](client, root)
        threading.Event().wait()
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(5) as pool:
        running = {name: pool.submit(perform, name) for name in RECIPES}
        for name, done in running.items():
            try:
                done.result()
                print("ok", name, flush=True)
            except BaseException:
                failed += 1
                print("FAILED", name, flush=True)
                traceback.print_exc(file=sys.stdout)
    print("%d recipes, %d failed" % (len(RECIPES), failed), flush=True)
    # Threads that still wait for something must not keep a failed run.
    os._exit(1 if failed else 0)


main()
