"""kazoo from its first connection to its session's end: connect, create, read, watch, lose, re-attach, expire.

usage: kazoo_session.py HOST:PORT
"""

import sys
import threading
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import (
    BadVersionError, NoNodeError, NodeExistsError, NotEmptyError, NoAuthError, RolledBackError)
from kazoo.security import make_digest_acl

from proxy import Proxy

TIMEOUT = 3
PATIENCE = 30


def wait_for(what, condition):
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "waited in vain for " + what
        time.sleep(0.02)


def connect(address):
    client = KazooClient(address, timeout=TIMEOUT)
    client.start(PATIENCE)
    return client


def raises(kind, call, *args, **more):
    try:
        call(*args, **more)
    except kind:
        return
    raise AssertionError("%s did not raise %s" % (call.__name__, kind.__name__))


def operations(address):
    client = connect(address)
    assert client.server_version()[:2] == (3, 9), client.server_version()
    assert client.create("/s", b"zero") == "/s"
    raises(NodeExistsError, client.create, "/s", b"")
    assert client.create("/s/n-", b"", sequence=True) == "/s/n-0000000000"
    path, stat = client.create("/s/deep/er", b"d", makepath=True, include_data=True)
    assert path == "/s/deep/er" and stat.version == 0 and stat.dataLength == 1
    data, stat = client.get("/s")
    assert data == b"zero" and stat.numChildren == 2 and stat.cversion == 2, stat
    assert client.set("/s", b"one").version == 1
    raises(BadVersionError, client.set, "/s", b"two", version=0)
    raises(NotEmptyError, client.delete, "/s")
    raises(NoNodeError, client.get, "/missing")
    assert client.exists("/missing") is None
    assert sorted(client.get_children("/s")) == ["deep", "n-0000000000"]
    client.sync("/s")
    client.create("/s/ttl", b"", ephemeral=True)
    transaction = client.transaction()
    transaction.create("/s/t", b"t")
    transaction.check("/s", 1)
    transaction.set_data("/s", b"two")
    transaction.delete("/s/n-0000000000")
    results = transaction.commit()
    assert results[0] == "/s/t" and results[2].version == 2, results
    transaction = client.transaction()
    transaction.delete("/s/t")
    transaction.check("/s", 0)
    results = transaction.commit()
    assert isinstance(results[0], RolledBackError) and isinstance(results[1], BadVersionError), results
    assert client.exists("/s/t")

    client.add_auth("digest", "ann:secret")
    client.create("/s/private", b"p", acl=[make_digest_acl("ann", "secret", all=True)])
    stranger = connect(address)
    raises(NoAuthError, stranger.get, "/s/private")
    stranger.add_auth("digest", "ann:secret")
    assert stranger.get("/s/private")[0] == b"p"
    stranger.stop()
    stranger.close()
    client.delete("/s", recursive=True)
    client.stop()
    client.close()


def session(address):
    proxy = Proxy(address)
    client, other = connect(proxy.address), connect(address)
    states, events = [], []
    client.add_listener(states.append)
    session_id = client.client_id[0]
    client.create("/here", b"", ephemeral=True)
    client.create("/watched", b"0")
    client.create("/parent", b"")
    client.get("/watched", watch=events.append)
    client.get_children("/parent", watch=events.append)
    client.exists("/coming", watch=events.append)

    # A one-time watch fires once.
    other.set("/watched", b"1")
    wait_for("an event", lambda: len(events) == 1)
    assert (events[0].type, events[0].path) == ("CHANGED", "/watched"), events
    other.set("/watched", b"2")
    client.get("/watched", watch=events.append)
    assert len(events) == 1, events

    # Lost and re-attached: the same session and its node. kazoo restores no watches itself: it
    # tells each watcher that it has lost its place, and its recipes look again.
    proxy.block()
    wait_for("suspension", lambda: states[-1:] == [KazooState.SUSPENDED])
    other.set("/watched", b"3")
    other.create("/parent/child", b"")
    proxy.unblock()
    wait_for("a connection", lambda: states[-1:] == [KazooState.CONNECTED])
    assert client.client_id[0] == session_id
    wait_for("the watchers' notice", lambda: [e.type for e in events[1:]] == ["NONE"] * 3)
    assert client.get("/watched")[0] == b"3" and client.get_children("/parent") == ["child"]
    client.exists("/coming", watch=events.append)
    other.create("/coming", b"")
    wait_for("the new watch", lambda: len(events) == 5)
    assert (events[4].type, events[4].path) == ("CREATED", "/coming"), events
    assert other.exists("/here").ephemeralOwner == session_id

    # Away for longer than the timeout: the session is over, and its node gone on time.
    gone = threading.Event()
    assert other.exists("/here", watch=lambda _: gone.set())
    away = time.monotonic()
    proxy.block()
    assert gone.wait(PATIENCE), "the ephemeral node stays"
    took = time.monotonic() - away
    assert took > TIMEOUT * 0.5, "expired after %.2f s" % took
    proxy.unblock()
    wait_for("expiry", lambda: KazooState.LOST in states)
    wait_for("a new session", lambda: states[-1] == KazooState.CONNECTED)
    assert client.client_id[0] != session_id
    for c in (client, other):
        c.stop()
        c.close()


operations(sys.argv[1])
session(sys.argv[1])
print("ok")
