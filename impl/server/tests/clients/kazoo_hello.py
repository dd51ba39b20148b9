"""Writes one znode, or reads it: kazoo_hello.py ADDRESSES write|read."""

import sys

from kazoo.client import KazooClient

addresses, what = sys.argv[1:]
client = KazooClient(hosts=addresses)
client.start(timeout=30)
if what == "write":
    client.create("/hello", b"kazoo")
else:
    assert client.get("/hello")[0] == b"kazoo"
client.stop()
client.close()
