"""kazoo on an ensemble whose servers die, freeze and come back.

usage: kazoo_survival.py ADDRESSES
Prints `!begin HARM SESSION` and `!end` where something shall happen to the servers, reads a line when it has, and
prints ok at the end.
"""

import sys
import time

from kazoo.client import KazooClient, KazooState
from kazoo.exceptions import ConnectionLoss, OperationTimeoutError
from kazoo.handlers.threading import KazooTimeoutError

ADDRESSES = sys.argv[1]
TIMEOUT = 10
PATIENCE = 60


def order(*words):
    print("!" + " ".join(words), flush=True)
    assert sys.stdin.readline() == "done\n"


def insist(call, *args, **more):
    """Again and again while connections are lost; nothing else may go wrong."""
    limit = time.monotonic() + PATIENCE
    while True:
        try:
            return call(*args, **more)
        except (ConnectionLoss, OperationTimeoutError, KazooTimeoutError):
            assert time.monotonic() < limit, "no connection"
            time.sleep(0.05)


def wait_for(what, condition):
    limit = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < limit, "waited in vain for " + what
        time.sleep(0.02)


def connect(**more):
    client = KazooClient(ADDRESSES, timeout=TIMEOUT, **more)
    client.start(PATIENCE)
    return client


def end(client):
    client.stop()
    client.close()


def survives(client, session, newest):
    """All harms, one after the other; the session and its node stay, reads do not go back."""
    for harm in ["LeaderKilled", "OwnServerKilled", "ObserverKilled", "LeaderFrozen", "OwnServerFrozen", "MajorityLost"]:
        began = time.monotonic()
        order("begin", harm, str(session))
        if harm == "MajorityLost":
            order("end")
        for n in range(5):
            written = insist(client.set, "/count", b"%d" % n).mzxid
            data, stat = insist(client.get, "/count")
            assert data == b"%d" % n and stat.mzxid >= written > newest, (data, stat, written, newest)
            newest = stat.mzxid
        if harm != "MajorityLost":
            order("end")
        assert client.client_id[0] == session, harm
        assert insist(client.exists, "/mine").ephemeralOwner == session, harm
        fires_once(client)
        print("%s: %.1f s" % (harm, time.monotonic() - began), flush=True)


def fires_once(client):
    """One event for a watch, wherever the session is by now."""
    other, events = connect(), []
    while not events or events == ["NONE"]:  # kazoo's word for a watcher that lost its connection
        events = []
        insist(client.get, "/count", watch=lambda event: events.append(event.type))
        insist(other.set, "/count", b"a")
        insist(other.set, "/count", b"b")
        wait_for("an event", lambda: events)
    insist(client.sync, "/count")
    insist(client.get, "/count")
    assert events == ["CHANGED"], events
    end(other)


def moves(client, session):
    """The same session by another handle: it, its node and what it wrote are the same; when it ends, it ends for both."""
    taken = KazooClient(ADDRESSES, timeout=TIMEOUT, client_id=client.client_id)
    taken.start(PATIENCE)
    assert taken.client_id[0] == session
    insist(taken.set, "/count", b"moved")
    assert insist(taken.get, "/count")[0] == b"moved"
    assert insist(taken.exists, "/mine").ephemeralOwner == session
    for handle in (taken, client):
        end(handle)
    watcher = connect()
    wait_for("the session's end", lambda: insist(watcher.exists, "/mine") is None)
    end(watcher)


def main():
    client = connect()
    session = client.client_id[0]
    states = []
    client.add_listener(states.append)
    newest = client.exists(client.create("/count", b"")).mzxid
    client.create("/mine", b"", ephemeral=True)
    survives(client, session, newest)
    assert KazooState.LOST not in states, states
    moves(client, session)


main()
print("ok")
