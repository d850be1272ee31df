"""A FAR-SIGN volunteer in Python: an example client, written from docs/protocol.md and docs/delta-coding.md alone.

It computes gradients (first order) with coordinate or hadamard directions, on models of any depth. It stops with a
message if the server requires zeroth order or other directions. NumPy's sums differ from the exact ones in their last
bits, so the server must not verify updates (`farsign serve --rule plain`). To run it:

    pip install -r requirements.txt
    python volunteer.py --url http://127.0.0.1:8080 --updates 500
"""
import argparse
import gzip
import hashlib
import json
import random
import time
from contextlib import suppress
from functools import lru_cache
from struct import pack, unpack, unpack_from
from urllib.request import urlopen

import numpy as np
from blake3 import blake3
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import connect

from delta_coding import decode

AGENT, NEVER, RUN_FINISHED = b"third-party-python/1.0", 0xFFFFFFFF, 6


def outputs(seed, n):
    """Returns the first n outputs of the SplitMix64 stream of a seed."""
    z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def bits(seed, n):
    """Returns the first n bits of the stream of a seed: coins, or signs (1 is +1, 0 is -1)."""
    return np.unpackbits(outputs(seed, -(-n // 64)).astype("<u8").view(np.uint8), bitorder="little")[:n]


@lru_cache(maxsize=1)  # several tasks often share a direction seed
def permutation_prefix(seed, count, take):
    p = list(range(count))
    for i, output in enumerate(outputs(seed, take).tolist()):
        j = i + (output * (count - i) >> 64)
        p[i], p[j] = p[j], p[i]
    return p[:take]


def block_hadamard(v, n):
    """Transforms v by blocks: as many of n entries as fit, then the rest in falling powers of two."""
    if len(v) == 0:
        return v
    blocks, rest = np.split(v, [len(v) // n * n])
    h = 1
    while h < n:
        a, b = np.split(blocks.reshape(-1, 2, h), 2, axis=1)
        blocks, h = np.concatenate((a + b, a - b), axis=1), 2 * h
    return np.concatenate((blocks.ravel() / n ** 0.5, block_hadamard(rest, n // 2)))


def loss_and_gradient(x, widths, inputs, labels):
    layers, hidden, start = [], [inputs], 0
    for a, b in zip(widths, widths[1:]):
        middle, end = start + a * b, start + a * b + b
        layers.append(x[start:middle].reshape(a, b))
        z, start = hidden[-1] @ layers[-1] + x[middle:end], end
        hidden.append(np.maximum(z, 0))
    z = z - z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    onehot = np.eye(widths[-1], dtype=np.float32)[labels]
    delta, gradient = (np.exp(log_p) - onehot) / len(labels), []
    for weights, h in zip(layers[::-1], hidden[-2::-1]):
        gradient = [(h.T @ delta).ravel(), delta.sum(axis=0), *gradient]
        delta = (delta @ weights.T) * (h > 0)
    return -log_p[onehot == 1].mean(), np.concatenate(gradient)


class Version:
    """A version of the model: integers k on a grid."""

    def __init__(self, body, base):
        number, d, self.fraction_bits, self.shift, kind = unpack_from("<QIBBB", body)
        k, finer = decode(body[47 if kind else 15:], d).astype("i8"), self.shift
        if kind:
            if base is None or base.hash != body[15:47] or base.fraction_bits != self.fraction_bits:
                raise SystemExit("the differences are to another version than the last one")
            finer = min(self.shift, base.shift)
            k = (k + (base.k << base.shift - finer)).astype("<i4").astype("i8")
            if (k & (1 << self.shift - finer) - 1).any():
                raise SystemExit("the differences do not fit their base")
        self.k = k >> self.shift - finer
        fitting = (kind for kind in ("i1", "<i2", "<i4") if (self.k.astype(kind) == self.k).all())
        self.hash = blake3(self.k.astype(next(fitting)).tobytes() + pack("BB", self.fraction_bits, self.shift)).digest()

    def parameters(self):
        return self.k.astype("f4") * np.float32(2.0 ** (self.shift - self.fraction_bits))


class Volunteer:
    def __init__(self, url, wanted):
        self.url, self.wanted, self.accepted, self.rejected, self.failures = url, wanted, 0, 0, 0
        shards = [shard["digest"] for shard in json.load(urlopen(f"{url}/api/v1/data/shards"))["shards"]]
        images, labels = zip(*(self.shard(digest) for digest in shards))
        self.ends = np.cumsum([len(shard) for shard in labels])
        self.images, self.labels = np.concatenate(images), np.concatenate(labels)
        self.digest = hashlib.sha256(bytes.fromhex("".join(shards))).digest()

    def shard(self, digest):
        shard = gzip.decompress(urlopen(f"{self.url}/api/v1/data/shards/{digest}").read())
        if hashlib.sha256(shard).hexdigest() != digest:
            raise SystemExit(f"shard {digest} was changed on its way")
        count, rows, cols = unpack(">III", shard[4:16])
        pixels = np.frombuffer(shard, np.uint8, count * rows * cols, offset=16).reshape(count, -1)
        return pixels, np.frombuffer(shard, np.uint8, count, offset=16 + pixels.size + 8)

    def welcome(self, body):
        self.widths, self.failures = unpack_from(f"<{body[16]}I", body, 17), 0
        order, _, self.family, self.block, self.k, _, self.beta, _, digest = unpack(
            "<BfBIIIfI32s", body[17 + 4 * body[16]:])
        if order != 0 or self.family > 1:
            raise SystemExit("this client supports only first order with coordinate or hadamard directions")
        if digest != self.digest:
            raise SystemExit("the server's training data has changed; restart to fetch it")

    def update(self, mini_seed, direction_seed, coin_seed, images, shards, reset):
        """Returns the sign bits of a task."""
        x = self.version.parameters()
        count = int(self.ends[shards - 1])
        batch = [output * count >> 64 for output in outputs(mini_seed, images).tolist()]
        inputs = self.images[batch] / np.float32(255)
        loss, g = loss_and_gradient(x, self.widths, inputs, self.labels[batch])
        if not (np.isfinite(loss) and np.isfinite(g).all()):
            raise SystemExit("the loss or the gradient is not finite")
        if reset:
            self.j, self.y = 0, np.zeros_like(g)
        self.y += max(self.beta, 1 / (1 + self.j)) * (g - self.y)
        self.y[np.abs(self.y) <= 1e-30] = 0
        self.j, u = self.j + 1, self.y
        if self.family == 1:
            u = block_hadamard(u * (bits(direction_seed ^ 0x5EED0F516E5F0001, len(u)) * 2.0 - 1), self.block)
        if self.k < len(u):
            u = u[permutation_prefix(direction_seed, len(u), self.k)]
        return np.packbits(np.where(u == 0, bits(coin_seed, self.k), u > 0), bitorder="little").tobytes()

    def session(self):
        """Runs one session. Returns the seconds to wait before the next, or None to stop."""
        def send(kind, body):
            with suppress(ConnectionClosed):  # a goodbye may have arrived
                socket.send(pack("<BBI", 2, kind, len(body)) + body)

        self.version, requests = None, 0
        with connect("ws" + self.url.removeprefix("http") + "/ws", max_size=65 << 20) as socket:
            send(1, bytes([len(AGENT)]) + AGENT + pack("<H", len(self.ends)))
            while True:
                frame = socket.recv()
                if frame[0] != 2:
                    raise SystemExit("the server uses another protocol version")
                at = 1
                while at < len(frame):
                    kind, length = unpack_from("<BI", frame, at)
                    body, at = frame[at + 5:at + 5 + length], at + 5 + length
                    if kind == 0x81:
                        self.welcome(body)
                    elif kind == 0x82:
                        task = unpack("<Q32sQQQIHB", body)
                        if self.version and task[1] == self.version.hash:
                            requests = 0
                            send(2, pack("<Q", task[0]) + self.update(*task[2:]))
                            continue
                        # A cache or a relay delivered other bits.
                        if (requests := requests + 1) > 3:
                            raise SystemExit("the versions are not those of their tasks")
                        send(3, pack("<Q", task[0]))
                    elif kind == 0x83:
                        self.version = Version(body, self.version)
                    elif kind == 0x84:
                        self.accepted += 1
                        if self.accepted == self.wanted:
                            return None
                    elif kind == 0x85:
                        self.rejected += 1
                        print("rejected for reason", body[8])
                    elif kind == 0x86:
                        reason, wait = unpack("<BI", body)
                        if wait == NEVER and reason != RUN_FINISHED:
                            raise SystemExit(f"the server ended the session, reason {reason}")
                        return None if wait == NEVER else wait / 1000 * random.uniform(1, 1.5)

    def run(self):
        wait = 0
        while wait is not None:
            time.sleep(wait)
            try:
                wait = self.session()
            except (OSError, WebSocketException):
                wait = min(0.5 * 2 ** self.failures, 30) * random.uniform(0.5, 1)
                self.failures += 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A FAR-SIGN volunteer")
    parser.add_argument("--url", default="http://127.0.0.1:8080")
    parser.add_argument("--updates", type=int, default=500, help="accepted updates to stop after")
    args = parser.parse_args()
    with urlopen(args.url.rstrip("/") + "/api/v1/status") as status:
        if json.load(status)["run"]["rule"] == "verified":
            raise SystemExit("the server verifies updates, and NumPy's sums are not exact; start it with --rule plain")
    volunteer = Volunteer(args.url.rstrip("/"), args.updates)
    try:
        volunteer.run()
    finally:
        print(f"{volunteer.accepted} accepted, {volunteer.rejected} rejected")
    raise SystemExit(volunteer.rejected > 0)
