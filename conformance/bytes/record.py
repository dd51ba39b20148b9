#!/usr/bin/env python3
"""Records what Apache ZooKeeper writes to sockets and disk, for the tests that decode it.

    conformance/bytes/record.py client RELEASE     clients against a standalone server, and that server's files
    conformance/bytes/record.py quorum RELEASE     an ensemble: elections, every way to synchronise, an observer
    conformance/bytes/record.py reconfig RELEASE   an ensemble whose observer is removed while it runs
    conformance/bytes/record.py members RELEASE    what only clients of an ensemble see: reconfig, a read-only server;
                                                   a multi of create2; greetings of servers with several addresses

Needs root (it watches the loopback interface), a JDK, and what conformance/peers/setup.sh installs.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "recorder"))
from tap import Tap  # noqa: E402

APACHE = HERE.parent / "peers" / "run-apache.sh"
BASE = int(os.environ.get("RECORD_PORT", "21000"))
EXTENDED = ["-Dzookeeper.extendedTypesEnabled=true", "-Dznode.container.checkIntervalMs=1000"]


def ask(port, word):
    """A four-letter word's answer, or nothing."""
    try:
        with socket.create_connection(("127.0.0.1", port), 2) as connection:
            connection.settimeout(5)
            connection.sendall(word)
            answer = b""
            while part := connection.recv(65536):
                answer += part
            return answer.decode()
    except OSError:
        return ""


def until(what, condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"waited {seconds} s in vain for {what}")
        time.sleep(0.05)


class Server:
    """One process of Apache's server."""

    def __init__(self, release, folder, port, config, options=()):
        self.release, self.folder, self.port, self.options = release, folder, port, list(options)
        self.config = folder / "zoo.cfg"
        folder.mkdir(parents=True, exist_ok=True)
        self.config.write_text(f"tickTime=1000\ndataDir={folder}\nclientPort={port}\nclientPortAddress=127.0.0.1\n" + config)

    def start(self, *options):
        command = [APACHE, self.release, "config", self.config, *self.options, *options]
        self.process = subprocess.Popen(command, env={**os.environ, "APACHE_LOG": str(self.folder / "output")})
        return self

    def mode(self):
        lines = [line for line in ask(self.port, b"srvr").splitlines() if line.startswith("Mode: ")]
        return lines[0][6:] if lines else None

    def serve(self):
        until(f"server on {self.port}", self.mode)
        return self

    def kill(self):
        self.process.kill()
        self.process.wait()

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"


class Client:
    """Apache's Java client; see recorder/Client.java."""

    def __init__(self, release, work):
        classpath = subprocess.check_output([APACHE, release, "classpath"], text=True).strip()
        classes = work / "classes"
        subprocess.check_call(["javac", "-proc:none", "-nowarn", "-cp", classpath, "-d", classes, HERE / "recorder/Client.java"])
        command = ["java", "-Xmx128m", "-Dorg.slf4j.simpleLogger.defaultLogLevel=off", "-Dlog4j2.level=OFF"]
        command += ["-cp", f"{classes}:{classpath}", "Client"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def do(self, *words):
        print("client:", *words, flush=True)
        self.process.stdin.write(" ".join(words) + "\n")
        self.process.stdin.flush()
        if (answer := self.process.stdout.readline()) != "done\n":
            raise SystemExit(f"client failed at {words}: {answer}")

    def kill(self):
        self.process.kill()
        self.process.wait()


# Client protocol and files


def frames(stream):
    """(order, frame) of each length-prefixed message of a stream; what is cut short is left out."""
    data, position = b"", 0
    for order, chunk in stream.chunks:
        data += chunk
        while len(data) - position >= 4:
            end = position + 4 + int.from_bytes(data[position : position + 4], "big")
            if end > len(data):
                break
            yield order, data[position:end]
            position = end


def four_letter(stream):
    head = stream.bytes()[:4]
    return len(head) < 4 or head.isalpha()


def write_client(tap, path, command):
    with path.open("w") as out:
        print(f"# Recorded by conformance/bytes/record.py {command}. One frame a line, in order.", file=out)
        for connection in tap.connections:
            if four_letter(connection.up):
                continue
            both = [(order, ">", data) for order, data in frames(connection.up)]
            both += [(order, "<", data) for order, data in frames(connection.down)]
            print(f"connection {connection.number}", file=out)
            for _, direction, data in sorted(both):
                print(direction, data.hex(), file=out)


RAW = [
    ("old client without the last byte, then sasl", [
        "0000002c 00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000",
        "0000000f 00000001 00000066 00000003 746f6b",
        "00000010 00000002 00000004 00000004 2f6e6f00",
        "00000008 00000003 fffffff5"]),
    ("a session that nobody knows", [
        "0000002d 00000000 0000000000000000 00002710 0123456789abcdef 00000010 00000000000000000000000000000000 00"]),
    ("an op that nobody knows", [
        "0000002d 00000000 0000000000000000 00002710 0000000000000000 00000010 00000000000000000000000000000000 00",
        "00000008 00000001 000003e7"]),
]


def say_raw(port):
    """What Apache's client never sends; here only the replies are Apache's."""
    for _, messages in RAW:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.settimeout(5)
            for message in messages:
                connection.sendall(bytes.fromhex(message))
                try:
                    connection.recv(65536)
                except OSError:
                    break


def keep_files(folder, target):
    """Copies logs, cut 64 bytes behind the last record, and snapshots."""
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for source in sorted((folder / "version-2").iterdir()):
        if source.name.startswith("snapshot."):
            shutil.copy(source, target)
        if source.name.startswith("log."):
            data = source.read_bytes().rstrip(b"\0")
            (target / source.name).write_bytes(data + b"\0" * 64)


def record_client(release):
    work = Path(tempfile.mkdtemp(prefix="record-"))
    port = BASE
    server = Server(release, work / "data", port, "", EXTENDED)
    tap, client = Tap([port]), Client(release, work)
    try:
        server.start().serve()
        for words in ("writes", "reads", "multis", "watches", "auth"):
            client.do(words, server.address)
        client.do("idle")
        say_raw(port)
        client.do("close")
        # Sessions that live through restarts, each of which writes a snapshot and, with the next write, a log.
        client.do("hold", server.address)
        for method, words in (("gz", ["reads", server.address]), ("snappy", ["move", server.address, server.address]), ("", ["idle"])):
            server.kill()
            server.start(f"-Dzookeeper.snapshot.compression.method={method}").serve()
            client.do("idle")
            client.do(*words)
        client.kill()
        server.kill()
    finally:
        client.kill()
        server.kill()
        tap.stop()
    write_client(tap, HERE / f"client-{release}.txt", f"client {release}")
    keep_files(work / "data", HERE / f"disk-{release}")
    for name, option in (("no-digest", "digest.enabled"), ("no-paths", "closeSessionTxn.enabled")):
        record_small(release, work / name, f"-Dzookeeper.{option}=false", HERE / f"disk-{release}-{name}")
    shutil.rmtree(work)


def record_small(release, folder, option, target):
    """Files of a server with one setting changed."""
    server = Server(release, folder, BASE, "", [option, *EXTENDED]).start().serve()
    client = Client(release, folder)
    try:
        client.do("writes", server.address)
        client.do("close")
        server.kill()
        server.start().serve()
    finally:
        client.kill()
        server.kill()
    keep_files(folder, target)


# Ensembles


def ensemble(release, work, extra="", options=()):
    """Three voters and an observer, not started."""
    lines = [
        f"server.{sid}=127.0.0.1:{BASE + 100 + sid}:{BASE + 200 + sid}:{'observer' if sid == 4 else 'participant'}"
        for sid in (1, 2, 3, 4)
    ]
    servers = {}
    for sid in (1, 2, 3, 4):
        folder = work / str(sid)
        config = "initLimit=10\nsyncLimit=5\n" + extra + ("peerType=observer\n" if sid == 4 else "")
        config += "\n".join(lines) + "\n"
        servers[sid] = Server(release, folder, BASE + sid, config, [*EXTENDED, *options])
        (folder / "myid").write_text(str(sid))
    return servers


def quorum_tap():
    return Tap([BASE + 100 + sid for sid in range(1, 5)] + [BASE + 200 + sid for sid in range(1, 5)])


def write_quorum(tap, path, command):
    with path.open("w") as out:
        print(f"# Recorded by conformance/bytes/record.py {command}.", file=out)
        print("# A connection's port, the listening server, then what passed, in order: > from the dialler.", file=out)
        for connection in tap.connections:
            if not connection.up.chunks:
                continue
            port, sid = divmod(connection.server - BASE, 100)
            print(f"connection {connection.number} {({1: 'quorum', 2: 'election'})[port]} {sid}", file=out)
            both = [(order, ">", data) for order, data in connection.up.chunks]
            both += [(order, "<", data) for order, data in connection.down.chunks]
            for _, direction, data in sorted(both):
                print(direction, data.hex(), file=out)


def leader_of(servers):
    found = [server for server in servers.values() if server.mode() == "leader"]
    return found[0] if found else None


def log_size(server):
    """Bytes in a server's logs without the zero fill."""
    logs = (server.folder / "version-2").glob("log.*")
    return sum(len(log.read_bytes().rstrip(b"\0")) for log in logs)


def record_quorum(release):
    work = Path(tempfile.mkdtemp(prefix="record-"))
    servers = ensemble(release, work)
    tap, client = quorum_tap(), Client(release, work)
    try:
        for server in servers.values():
            server.start()
        for server in servers.values():
            server.serve()
        leader = leader_of(servers)
        first, second = [s for sid, s in servers.items() if s is not leader and sid != 4]
        observer = servers[4]
        for words in ("writes", "reads", "multis"):
            client.do(words, first.address)
        client.do("watches", observer.address)
        client.do("move", first.address, second.address)
        client.do("close")
        # DIFF: a follower that missed a few writes.
        first.kill()
        client.do("auth", second.address)
        client.do("close")
        first.start().serve()
        # SNAP: a follower and an observer that know nothing.
        for server in (first, observer):
            server.kill()
            shutil.rmtree(server.folder / "version-2")
            server.start().serve()
        # TRUNC: a leader whose last write nobody else has seen. It takes writes until it counts its followers again,
        # at the next tick. To stop them instead of killing them would leave the write in their sockets.
        client.do("hold", leader.address)
        size = log_size(leader)
        for server in (first, second):
            server.kill()
        client.do("lost", leader.address)
        until("the lost write", lambda: log_size(leader) > size)
        leader.kill()
        client.kill()
        for server in (first, second):
            server.start()
        until("a new leader", lambda: leader_of({1: first, 2: second}))
        leader.start().serve()
        time.sleep(2)
    finally:
        client.kill()
        for server in servers.values():
            server.kill()
        tap.stop()
    write_quorum(tap, HERE / f"quorum-{release}.txt", f"quorum {release}")
    keep_files(leader.folder, HERE / f"disk-{release}-leader")
    shutil.rmtree(work)


def reconfigurable(release, work, extra="", options=()):
    """Three voters and an observer that take reconfigurations, not started."""
    servers = ensemble(release, work, "reconfigEnabled=true\n" + extra, ["-Dzookeeper.skipACL=yes", *options])
    for server in servers.values():
        # With reconfiguration the client's address belongs to the member lines.
        text = server.config.read_text().replace(f"clientPort={server.port}\nclientPortAddress=127.0.0.1\n", "")
        for sid, other in servers.items():
            for role in ("participant", "observer"):
                text = text.replace(f":{BASE + 200 + sid}:{role}", f":{BASE + 200 + sid}:{role};127.0.0.1:{other.port}")
        server.config.write_text(text)
    return servers


def record_reconfig(release):
    work = Path(tempfile.mkdtemp(prefix="record-"))
    servers = reconfigurable(release, work)
    tap, client = quorum_tap(), Client(release, work)
    try:
        for server in servers.values():
            server.start()
        for server in servers.values():
            server.serve()
        client.do("reconfig", servers[1].address, "4")
        time.sleep(1)
    finally:
        client.kill()
        for server in servers.values():
            server.kill()
        tap.stop()
    write_quorum(tap, HERE / f"reconfig-{release}.txt", f"reconfig {release}")
    keep_files(servers[1].folder, HERE / f"disk-{release}-reconfig")
    shutil.rmtree(work)


def record_members(release):
    work = Path(tempfile.mkdtemp(prefix="record-"))
    # A read-only server opens local sessions only; without them it answers NotReadOnly to the handshake itself.
    servers = reconfigurable(release, work, "localSessionsEnabled=true\n", ["-Dreadonlymode.enabled=true"])
    tap, client = Tap([server.port for server in servers.values()]), Client(release, work)
    try:
        for server in servers.values():
            server.start()
        for server in servers.values():
            server.serve()
        member = f"server.4=127.0.0.1:{BASE + 104}:{BASE + 204}:observer;127.0.0.1:{servers[4].port}"
        client.do("reconfig", servers[1].address, "4")
        client.do("rejoin", servers[1].address, member)
        client.do("create2s", servers[1].address)
        client.do("close")
        for sid in (2, 3, 4):
            servers[sid].kill()
        until("a read-only server", lambda: ask(servers[1].port, b"isro") == "ro")
        client.do("readonly", servers[1].address)
    finally:
        client.kill()
        for server in servers.values():
            server.kill()
        tap.stop()
    write_client(tap, HERE / f"members-{release}.txt", f"members {release}")
    keep_files(servers[1].folder, HERE / f"disk-{release}-members")
    record_addresses(release, work / "addresses")
    shutil.rmtree(work)


def record_addresses(release, work):
    """Two servers with two addresses each: they greet each other in another way."""
    options = ["-Dzookeeper.multiAddress.enabled=true", "-Dzookeeper.multiAddress.reachabilityCheckEnabled=false"]
    lines = [
        f"server.{sid}=" + "|".join(f"127.0.0.{host}:{BASE + 100 + sid}:{BASE + 200 + sid}" for host in (1, 2))
        for sid in (1, 2)
    ]
    servers = []
    for sid in (1, 2):
        config = "initLimit=10\nsyncLimit=5\n" + "\n".join(lines) + "\n"
        servers.append(Server(release, work / str(sid), BASE + sid, config, options))
        (work / str(sid) / "myid").write_text(str(sid))
    tap = quorum_tap()
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.serve()
    finally:
        for server in servers:
            server.kill()
        tap.stop()
    write_quorum(tap, HERE / f"addresses-{release}.txt", f"members {release}")


if __name__ == "__main__":
    kinds = {"client": record_client, "quorum": record_quorum, "reconfig": record_reconfig, "members": record_members}
    if len(sys.argv) != 3 or sys.argv[1] not in kinds:
        sys.exit(__doc__)
    kinds[sys.argv[1]](sys.argv[2])
