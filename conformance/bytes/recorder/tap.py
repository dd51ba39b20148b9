"""Watches the loopback interface and puts TCP streams together again. Needs root; loses nothing at test rates."""

import socket
import struct
import threading

ETH_P_ALL = 3  # a socket for IPv4 alone would not see what leaves
OUTGOING = 4  # loopback shows each segment twice: leaving and arriving


class Stream:
    """One direction of a connection."""

    def __init__(self):
        self.next = None
        self.waiting = {}
        self.chunks = []  # (order of arrival, bytes)

    def feed(self, order, seq, syn, payload):
        if syn:
            self.next = (seq + 1) & 0xFFFFFFFF
            return
        if self.next is None or not payload:
            return
        self.waiting[seq] = payload
        while self.next in self.waiting:
            data = self.waiting.pop(self.next)
            self.next = (self.next + len(data)) & 0xFFFFFFFF
            self.chunks.append((order, data))

    def bytes(self):
        return b"".join(data for _, data in self.chunks)


class Connection:
    def __init__(self, number, client, server):
        self.number, self.client, self.server = number, client, server  # ports
        self.up, self.down = Stream(), Stream()  # client to server, server to client


class Tap:
    """Records every connection whose server port is in `ports`."""

    def __init__(self, ports):
        self.ports = set(ports)
        self.connections = []
        self.live = {}
        self.order = 0
        self.stopping = False
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.stopping:
            try:
                frame, address = self.socket.recvfrom(1 << 18)
            except TimeoutError:
                continue
            if address[2] == OUTGOING and frame[12:14] == b"\x08\x00":
                self.segment(frame[14:])

    def segment(self, packet):
        header, total = (packet[0] & 15) * 4, struct.unpack(">H", packet[2:4])[0]
        if packet[9] != 6:
            return
        segment = packet[header : total or len(packet)]
        source, target, seq = struct.unpack(">HHI", segment[:8])
        offset, flags = (segment[12] >> 4) * 4, segment[13]
        syn, ack = bool(flags & 2), bool(flags & 16)
        self.order += 1
        if syn and not ack and target in self.ports:
            connection = Connection(len(self.connections) + 1, source, target)
            self.connections.append(connection)
            self.live[source, target] = connection
        for key, up in (((source, target), True), ((target, source), False)):
            connection = self.live.get(key)
            if connection:
                stream = connection.up if up else connection.down
                stream.feed(self.order, seq, syn, segment[offset:])

    def stop(self):
        self.stopping = True
        self.thread.join()
        self.socket.close()
