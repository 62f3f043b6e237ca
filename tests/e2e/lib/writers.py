"""Writers that never lose count, and the count afterwards.

Four kinds send what can be computed again from (writer, number of the request, series), so every
sample that a server holds can be judged: acknowledged and there, bit by bit and once; or attempted
without an answer, and then the whole request is there or nothing of it.

A request without an answer is sent again where the protocol makes that harmless (idempotency key,
sequence of a stream), with other values: had the first copy been stored, the second must not be.
"""
import http.client
import json
import random
import socket
import struct
import threading
import time

import perilune
import wire

DAY = 86_400_000
SERIES = 24  # of one writer
POINTS = 4   # samples of each in one request


def value(writer, request, series, point, variant):
    """Any double but NaN: halves, integers, wild mantissas, -0.0, infinities."""
    x = (request * 1_000_003 + series * 10_007 + point * 101 + writer * 7 + variant * 500_009) \
        * 0x9E3779B97F4A7C15 & (1 << 64) - 1
    kind = series % 4
    if kind == 0:
        return float(request * POINTS + point) + variant * 0.25
    if kind == 1:
        return (x >> 44) / 100.0
    if kind == 2:
        bits = x & 0xBFFF_FFFF_FFFF_FFFF if (x >> 52 & 0x7FF) == 0x7FF else x
        return struct.unpack("<d", struct.pack("<Q", bits))[0]
    return (-0.0, float("inf"), float("-inf"), 5e-324, 1e300, 0.1, 1.0, 123456.78)[x >> 61]


class Plan:
    """Where a writer's samples lie: most series now, some two and nine days ago."""

    def __init__(self, epoch):
        now = int(time.time()) * 1000
        self.epoch = epoch
        self.base = [now - 3_600_000, now - 3_600_000, now - 2 * DAY, now - 9 * DAY]

    def labels(self, writer, series):
        return {"__name__": f"kill_{writer}", "epoch": str(self.epoch), "series": str(series)}

    def time(self, request, series, point):
        return self.base[series % 7 % 4] + (request * POINTS + point) * 10

    def place(self, series, ms):
        """(request, point) of a time."""
        n, rest = divmod(ms - self.base[series % 7 % 4], 10)
        return (None, None) if rest else divmod(n, POINTS)

    def rows(self, writer, request, variant):
        """[(series, [(ms, value)])]"""
        return [(s, [(self.time(request, s, p), value(writer, request, s, p, variant))
                     for p in range(POINTS)]) for s in range(SERIES)]


class Writer(threading.Thread):
    """Sends until it is stopped or the server goes. Requests are numbered over restarts."""

    def __init__(self, number, server, plan, seed=0):
        super().__init__(daemon=True)
        self.number, self.server, self.plan = number, server, plan
        self.random = random.Random(seed * 4 + number)
        self.next = 0          # of the next new request
        self.attempted = {}    # request -> set of variants that may be there
        self.acknowledged = {} # request -> the variant that must be there
        self.open = None       # request without an answer
        self.refused = 0
        self.pause = 0.0       # seconds after each request
        self.stopping = threading.Event()
        self.error = None

    def again(self):
        """A writer that goes on where this one was cut off."""
        new = type(self)(self.number, self.server, self.plan, self.random.random())
        new.next, new.open = self.next, self.open
        new.attempted, new.acknowledged = self.attempted, self.acknowledged
        new.refused, new.pause = self.refused, self.pause
        return new

    def run(self):
        try:
            self.send_all()
        except (OSError, http.client.HTTPException):
            pass  # killed
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e

    def begin(self):
        request = self.next
        self.next += 1
        self.attempted[request] = {1}
        return request

    def send_all(self):
        client = self.server.new_client()
        if self.open is not None:
            self.resolve(client)
        while not self.stopping.is_set():
            self.open = request = self.begin()
            self.acknowledge(request, 1, self.send(client, request, 1))
            if self.pause:
                self.stopping.wait(self.pause)
        client.close()

    def acknowledge(self, request, variant, reply):
        if reply.status in (200, 202, 204):
            self.acknowledged[request] = variant
        elif reply.status in (429, 500, 503, 507):
            self.refused += 1
            self.attempted[request].discard(variant)  # refused is not stored
        else:
            raise AssertionError(f"writer {self.number}: {reply}")
        self.open = None

    def resolve(self, client):
        """Nothing can be asked: a request without an answer stays open for both."""
        self.open = None

    def send(self, client, request, variant):
        raise NotImplementedError

    def series(self, request, variant):
        return [(self.plan.labels(self.number, s), samples)
                for s, samples in self.plan.rows(self.number, request, variant)]


class RemoteWriter(Writer):
    """Prometheus remote write."""

    def send(self, client, request, variant):
        body = wire.snappy(wire.write_request(self.series(request, variant)))
        return client.post("/api/v1/write", body, "application/x-protobuf",
                           {"Content-Encoding": "snappy"})


class KeyWriter(Writer):
    """msgpack with an idempotency key, which is sent again after a break."""

    def document(self, request, variant):
        return {"producer": f"p{self.plan.epoch}", "key": f"k{request}",
                "series": [{"labels": labels, "t": [t for t, _ in samples],
                            "v": [v for _, v in samples]}
                           for labels, samples in self.series(request, variant)]}

    def send(self, client, request, variant):
        return client.post("/api/v1/push", wire.msgpack(self.document(request, variant)),
                           "application/msgpack")

    def resolve(self, client):
        request = self.open
        before = self.attempted[request]
        self.attempted[request] = {1, 2}
        reply = self.send(client, request, 2)
        if reply.status == 200 and reply.headers.get("Idempotent-Replay") == "true":
            (variant,) = before if len(before) == 1 else (None,)
            if variant:
                self.acknowledge(request, variant, reply)
                self.attempted[request] = {variant}
            else:  # several copies are on their way: one of them it is
                self.open = None
        else:
            # Accepted now, so the first copy is not there.
            self.attempted[request] = {2}
            self.acknowledge(request, 2, reply)


class TextWriter(Writer):
    """JSON lines, Prometheus text and InfluxDB lines in turn."""

    def send(self, client, request, variant):
        series = self.series(request, variant)
        form = request % 3
        if form == 0:
            lines = [json.dumps({"labels": labels, "t": [t for t, _ in samples],
                                 "v": [self.json_value(v) for _, v in samples]})
                     for labels, samples in series]
            return client.post("/api/v1/push", "\n".join(lines), "application/x-ndjson")
        if form == 1:
            lines = []
            for labels, samples in series:
                rest = ",".join(f'{k}="{v}"' for k, v in labels.items() if k != "__name__")
                lines += [f"{labels['__name__']}{{{rest}}} {v!r} {t}" for t, v in samples]
            return client.post("/api/v1/import/prometheus", "\n".join(lines) + "\n", "text/plain")
        lines = []
        for labels, samples in series:
            measurement, field = labels["__name__"].split("_")
            tags = ",".join(f"{k}={v}" for k, v in labels.items() if k != "__name__")
            for t, v in samples:
                if v - v != 0:  # InfluxDB has no infinities: as remote write
                    return RemoteWriter.send(self, client, request, variant)
                lines.append(f"{measurement},{tags} {field}={v!r} {t}")
        return client.post("/write?precision=ms", "\n".join(lines))

    @staticmethod
    def json_value(v):
        return v if v - v == 0 else "+Inf" if v > 0 else "-Inf"


class StreamWriter(Writer):
    """The msgpack stream: many batches in flight, resumed by its sequence. Sequence = request + 1."""
    window = 16

    def __init__(self, *args):
        super().__init__(*args)
        self.acked_to = 0

    def again(self):
        new = super().again()
        new.acked_to = self.acked_to
        return new

    def messages(self, sock):
        pending = b""
        while True:
            data = sock.recv(65536)
            if not data:
                raise ConnectionError("closed")
            pending += data
            while pending:
                try:
                    message, used = wire.unmsgpack(pending)
                except (IndexError, struct.error):
                    break
                pending = pending[used:]
                yield message

    def send_all(self):
        with socket.create_connection(("127.0.0.1", self.server.stream_port), timeout=60) as sock:
            producer = f"stream-{self.plan.epoch}"
            sock.sendall(wire.msgpack([0, {"version": 1, "producer": producer}]))
            messages = self.messages(sock)
            hello = next(messages)
            last = hello[1]["last"]
            if last < self.acked_to:
                raise AssertionError(f"the stream says {last}, acknowledged was {self.acked_to}")
            for request in range(self.acked_to, last):  # stored before the break
                if len(self.attempted[request]) == 1:
                    (self.acknowledged[request],) = self.attempted[request]
            self.acked_to = last
            resend = {}
            for request in range(last, self.next):  # not stored: others now
                resend[request] = 2 if self.attempted[request] == {1} else 1
                self.attempted[request] = {resend[request]}
            define = {s: self.plan.labels(self.number, s) for s in range(SERIES)}
            sock.sendall(wire.msgpack([1, define]))
            sent = last
            while not self.stopping.is_set() or self.acked_to < sent:
                while sent - self.acked_to < self.window and not self.stopping.is_set():
                    if sent == self.next:
                        self.begin()
                    variant = resend.pop(sent, 1)
                    rows = self.plan.rows(self.number, sent, variant)
                    sock.sendall(wire.msgpack(
                        [2, sent + 1, [s for s, samples in rows for _ in samples],
                         [t for _, samples in rows for t, _ in samples],
                         [v for _, samples in rows for _, v in samples]]))
                    sent += 1
                    self.stopping.wait(self.pause)
                message = next(messages)
                if message[0] == 2 or message[0] == 3 and message[2] == 0:
                    for request in range(self.acked_to, message[1]):
                        (self.acknowledged[request],) = self.attempted[request]
                    self.acked_to = max(self.acked_to, message[1])
                elif message[0] == 15 and message[1] in (429, 500, 503, 507):
                    self.refused += 1
                    return
                else:
                    raise AssertionError(f"stream: {message}")


KINDS = (RemoteWriter, KeyWriter, TextWriter, StreamWriter)


class Crew:
    """One writer of each kind, over as many restarts as it takes."""

    def __init__(self, server, epoch=0, seed=0, kinds=KINDS, pause=0.0):
        self.server = server
        self.plan = Plan(epoch)
        self.writers = [kind(n, server, self.plan, seed) for n, kind in enumerate(kinds)]
        for writer in self.writers:
            writer.pause = pause

    def start(self):
        for writer in self.writers:
            writer.start()

    def progress(self):
        return sum(len(w.acknowledged) for w in self.writers)

    def finish(self, seconds=60):
        """After a kill: wait until they have noticed; ready to be started again."""
        self.join(seconds)
        self.writers = [w.again() for w in self.writers]

    def stop(self, seconds=60):
        for writer in self.writers:
            writer.stopping.set()
        self.join(seconds)

    def join(self, seconds):
        for writer in self.writers:
            if not writer.ident:
                continue  # the server was gone before it could start
            writer.join(seconds)
            if writer.is_alive():
                raise AssertionError(f"writer {writer.number} hangs")
            if writer.error:
                raise AssertionError(f"writer {writer.number}") from writer.error

    def refused(self):
        return sum(w.refused for w in self.writers)

    def count(self):
        return self.progress() * SERIES * POINTS

    def check(self, client=None, limit=5):
        """[] or what is wrong."""
        out = []
        client = client or self.server.client
        for writer in self.writers:
            out += self.check_writer(client, writer)
        return out[:limit] + ([f"... {len(out)} in all"] if len(out) > limit else [])

    def check_writer(self, client, writer):
        n, out, found = writer.number, [], {}
        selector = f'kill_{n}{{epoch="{self.plan.epoch}"}}'
        for labels, ts, vs in export(client, selector):
            series = int(labels["series"])
            if labels != self.plan.labels(n, series):
                out.append(f"{labels}: not what was sent")
            for ms, v in zip(ts, vs):
                request, point = self.plan.place(series, ms)
                key = (request, series, point)
                if request is None or request not in writer.attempted:
                    out.append(f"writer {n} series {series} at {ms} (request {request}): invented")
                elif key in found:
                    out.append(f"writer {n} {key}: twice")
                else:
                    found[key] = v
        for request, variants in writer.attempted.items():
            must = writer.acknowledged.get(request)
            whole = [variant for variant in ((must,) if must else (1, 2))
                     if all(same(found.get((request, s, p)), value(n, request, s, p, variant))
                            for s in range(SERIES) for p in range(POINTS))]
            if whole and (must or whole[0] in variants):
                continue
            there = sum((request, s, p) in found for s in range(SERIES) for p in range(POINTS))
            if must or there:
                out.append(f"writer {n} request {request}: "
                           f"{'acknowledged as ' + str(must) if must else 'open ' + str(variants)}, "
                           f"{there} of {SERIES * POINTS} samples are there, not as sent")
        return out


def same(have, want):
    return have is not None and (have == want and (want != 0 or wire.bits(have) == wire.bits(want)))


def export(client, selector, damaged=False, **parameters):
    """(labels, times, values) of each line of /api/v1/export. damaged: some may be left out."""
    reply = client.expect("export", client.get("/api/v1/export", **{"match[]": selector},
                                               **parameters))
    for line in reply.body.splitlines():
        one = json.loads(line, parse_int=float)
        if "error" in one and damaged and "damaged" in one["error"]:
            continue
        if "error" in one:
            raise AssertionError(f"export: {one['error']}")
        yield one["labels"], map(int, one["t"]), [float(v) if isinstance(v, str) else v for v in one["v"]]
