#!/usr/bin/env python3
"""Push with nothing but the standard library: push.py http://127.0.0.1:1969

First JSON, then the same as msgpack with packed columns, which is about ten times faster to write
and to read."""
import json
import struct
import sys
import time
import urllib.request
import uuid

URL = sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:1969"
NOW = int(time.time()) * 1000


def push(body, content_type):
    """One POST; with its key it may be repeated without being stored twice."""
    request = urllib.request.Request(URL + "/api/v1/push", body, {
        "Content-Type": content_type, "Idempotency-Key": str(uuid.uuid4())})
    with urllib.request.urlopen(request, timeout=10) as reply:
        return json.load(reply)["data"]


def string(text):
    text = text.encode()
    assert len(text) < 256
    return b"\xd9" + bytes([len(text)]) + text


def packed(kind, numbers):
    """A column: ext type 1 = u32, 2 = i64 (ms), 3 = f64, little-endian."""
    body = struct.pack("<%d%s" % (len(numbers), {1: "I", 2: "q", 3: "d"}[kind]), *numbers)
    return b"\xc9" + struct.pack(">IB", len(body), kind) + body


def series(labels, times, values):
    """{"labels": {...}, "t": times, "v": values}"""
    names = b"".join(string(k) + string(v) for k, v in labels.items())
    return (b"\x83" + string("labels") + bytes([0x80 | len(labels)]) + names
            + string("t") + packed(2, times) + string("v") + packed(3, values))


print(push(json.dumps({
    "metadata": [{"metric": "example_python", "type": "gauge", "help": "An example."}],
    "series": [{"labels": {"__name__": "example_python", "room": "kitchen"},
                "t": [NOW - 2000, NOW - 1000, NOW], "v": [20.5, 20.6, "stale"]}],
    "rows": [[{"__name__": "example_python", "room": "cellar"}, NOW, 12]],
}).encode(), "application/json"))

TIMES = [NOW - i * 1000 for i in range(1000)]
print(push(series({"__name__": "example_python", "room": "attic"}, TIMES,
                  [25 + i / 10 for i in range(1000)]), "application/msgpack"))
