"""A real node_exporter, recorded once a second and sent to each server with its times: as Prometheus
text where a server takes it, as remote write (by bench_load's wire, made here) to Prometheus."""
import glob
import http.client
import os
import socket
import struct
import subprocess
import time

from servers import ROOT, Prometheus, free_port


def record(seconds):
    """[(ms, text)], kept in build/ so that a second run need not wait."""
    folder = f"{ROOT}/build/node-{seconds}"
    if not os.path.isdir(folder):
        os.makedirs(folder + ".new", exist_ok=True)
        binary = glob.glob(f"{ROOT}/build/peers/*/usr/bin/prometheus-node-exporter")[0]
        port = free_port()
        process = subprocess.Popen([binary, f"--web.listen-address=127.0.0.1:{port}"],
                                   stderr=subprocess.DEVNULL)
        try:
            _scrape(port, seconds, folder + ".new")
        finally:
            process.terminate()
            process.wait()
        os.rename(folder + ".new", folder)
    out = []
    for name in sorted(os.listdir(folder)):
        with open(os.path.join(folder, name)) as f:
            out.append((int(name), f.read()))
    shift = int(time.time() * 1000) - out[-1][0]
    return [(ms + shift, text) for ms, text in out]


def _scrape(port, seconds, folder):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)
    due = time.time()
    for _ in range(seconds):
        connection = http.client.HTTPConnection("127.0.0.1", port)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        with open(os.path.join(folder, str(int(due * 1000))), "w") as f:
            f.write(text)
        due += 1
        time.sleep(max(0, due - time.time()))


def samples(text):
    """(name and labels as text, value) of each line."""
    for line in text.splitlines():
        if line and not line.startswith("#"):
            series, value = line.rsplit(" ", 1)
            yield series, value


def replay(server, texts):
    if isinstance(server, Prometheus):
        return _remote_write(server, texts)
    n = 0
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for i in range(0, len(texts), 10):
        lines = []
        for ms, text in texts[i:i + 10]:
            for series, value in samples(text):
                lines.append(f"{series} {value} {ms}")
        n += len(lines)
        connection.request("POST", "/api/v1/import/prometheus", "\n".join(lines) + "\n")
        reply = connection.getresponse()
        body = reply.read()
        if reply.status > 299 or b'"rejected"' in body:
            raise SystemExit(f"bench: {server.name} says {reply.status}: {body[:300]}")
    return n


def _varint(x):
    out = bytearray()
    while x > 127:
        out.append(x & 127 | 128)
        x >>= 7
    out.append(x)
    return bytes(out)


def _field(number, data):
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _labels(series):
    name, _, rest = series.partition("{")
    pairs = [("__name__", name)]
    while rest and rest != "}":
        label, _, rest = rest.partition('="')
        value, i = "", 0
        while rest[i] != '"':
            i += rest[i] == "\\"
            value += rest[i]
            i += 1
        rest = rest[i + 1:].lstrip(",")
        pairs.append((label, value))
    return b"".join(_field(1, _field(1, k.encode()) + _field(2, v.encode())) for k, v in sorted(pairs))


def _snappy(data):
    """Literals only: valid, not small."""
    out = bytearray(_varint(len(data)))
    for i in range(0, len(data), 65536):
        piece = data[i:i + 65536]
        out += bytes([61 << 2]) + struct.pack("<H", len(piece) - 1) + piece
    return bytes(out)


def _remote_write(server, texts):
    known, n = {}, 0
    connection = http.client.HTTPConnection("127.0.0.1", server.port)
    for ms, text in texts:
        body = bytearray()
        for series, value in samples(text):
            if series not in known:
                known[series] = _labels(series)
            sample = b"\x09" + struct.pack("<d", float(value)) + b"\x10" + _varint(ms)
            body += _field(1, known[series] + _field(2, sample))
            n += 1
        connection.request("POST", "/api/v1/write", _snappy(bytes(body)),
                           {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"})
        reply = connection.getresponse()
        if reply.status > 299:
            raise SystemExit(f"bench: {server.name} says {reply.status}: {reply.read()[:300]}")
        reply.read()
    return n
