"""What end-to-end tests need: a real server in a temporary directory, and clients for it.

    with perilune.Server() as server:
        server.client.push_text('up{job="a"} 1 1700000000000')
        server.kill()                    # kill -9
        server.start()
        server.client.query("up", time=1700000000)

The binary comes from PL_BINARY (ctest sets it) or is build/perilune. Only the standard library.
Nothing here sleeps for a guessed time: what takes time is waited for with a deadline.
"""
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.parse

import wire

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", ".."))
BINARY = os.environ.get("PL_BINARY", os.path.join(ROOT, "build", "perilune"))
READY_SECONDS = 30


def wait_until(condition, what, seconds=READY_SECONDS):
    """The first true result of condition(); fails with `what` after so many seconds."""
    deadline = time.monotonic() + seconds
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > deadline:
            raise AssertionError(f"after {seconds} s still not: {what}")
        time.sleep(0.005)


def free_port():
    """A TCP port on loopback that nobody listens on."""
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def clean_environment(**more):
    """Ours without what is meant for the tests: the server refuses variables it does not know."""
    return {**{k: v for k, v in os.environ.items() if not k.startswith("PERILUNE_")}, **more}


def run(*args, check=True, stdin=None, seconds=120, env=None):
    """Run `perilune ARGS` to its end; the CompletedProcess, output as bytes."""
    done = subprocess.run([BINARY, *map(str, args)], input=stdin, capture_output=True,
                          timeout=seconds, env=clean_environment(**(env or {})), check=False)
    if check and done.returncode != 0:
        raise AssertionError(f"perilune {' '.join(map(str, args))}: exit {done.returncode}\n"
                             f"{done.stdout.decode(errors='replace')}"
                             f"{done.stderr.decode(errors='replace')}")
    return done


class Reply:
    """Status, headers and body of an HTTP reply."""

    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class HttpError(AssertionError):
    """A reply that is not the 2xx that was asked for."""

    def __init__(self, what, reply):
        super().__init__(f"{what}: {reply.status} {reply.body[:2000]!r}")
        self.reply = reply


class Client:
    """One keep-alive connection. For one thread; a request that fails closes the connection, the
    next one opens another. A push that raises was not acknowledged, and may still have arrived."""

    def __init__(self, port, host="127.0.0.1", tenant=None, seconds=60):
        self.port, self.host, self.tenant, self.seconds = port, host, tenant, seconds
        self.connection = None

    def close(self):
        if self.connection:
            self.connection.close()
            self.connection = None

    def request(self, method, path, body=None, headers=None):
        """The Reply, whatever its status; OSError or http.client.HTTPException without one."""
        if self.connection is None:
            connection = http.client.HTTPConnection(self.host, self.port, timeout=self.seconds)
            connection.connect()
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.connection = connection
        headers = dict(headers or {})
        if self.tenant:
            headers["X-Scope-OrgID"] = self.tenant
        try:
            self.connection.request(method, path, body, headers)
            reply = self.connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def get(self, path, headers=None, **parameters):
        if parameters:
            path += "?" + urllib.parse.urlencode(parameters, doseq=True)
        return self.request("GET", path, headers=headers)

    def post(self, path, body, content_type=None, headers=None):
        headers = dict(headers or {})
        if content_type:
            headers["Content-Type"] = content_type
        return self.request("POST", path, body, headers)

    @staticmethod
    def expect(what, reply, statuses=(200, 202, 204)):
        if reply.status not in statuses:
            raise HttpError(what, reply)
        return reply

    # --- pushing: each returns the Reply, or raises when it is not acknowledged ---

    def push(self, document, headers=None):
        """POST /api/v1/push, as msgpack."""
        return self.expect("push", self.post("/api/v1/push", wire.msgpack(document),
                                             "application/msgpack", headers))

    def push_json(self, document, headers=None):
        return self.expect("push", self.post("/api/v1/push", json.dumps(document),
                                             "application/json", headers))

    def push_text(self, text):
        """Prometheus text."""
        return self.expect("import", self.post("/api/v1/import/prometheus", text, "text/plain"))

    def push_influx(self, lines, precision="ns"):
        return self.expect("write", self.post(f"/write?db=test&precision={precision}", lines))

    def remote_write(self, series, metadata=()):
        """Prometheus remote write 1.0; series as for wire.write_request."""
        body = wire.snappy(wire.write_request(series, metadata))
        return self.expect("remote write",
                           self.post("/api/v1/write", body, "application/x-protobuf",
                                     {"Content-Encoding": "snappy",
                                      "X-Prometheus-Remote-Write-Version": "0.1.0"}))

    # --- asking ---

    def api(self, path, **parameters):
        """`data` of a Prometheus API reply."""
        reply = self.expect(path, self.get(path, **parameters)).json
        if reply.get("status") != "success":
            raise AssertionError(f"{path}: {reply}")
        return reply["data"]

    def query(self, expression, time=None):
        parameters = {"query": expression}
        if time is not None:
            parameters["time"] = repr(time)
        return self.api("/api/v1/query", **parameters)["result"]

    def query_range(self, expression, start, end, step):
        return self.api("/api/v1/query_range", query=expression, start=repr(start), end=repr(end),
                        step=repr(step))["result"]

    def raw(self, selector, start_ms, end_ms):
        """The stored samples in [start, end]: {labels as sorted tuple: [(ms, float), ...]}."""
        seconds = (end_ms - start_ms) // 1000 + 1
        result = self.query(f"{selector}[{seconds}s]", time=end_ms / 1000)
        return {tuple(sorted(one["metric"].items())):
                [(round(t * 1000), float(v)) for t, v in one["values"]
                 if start_ms <= round(t * 1000) <= end_ms] for one in result}

    def metrics(self):
        """/metrics as {`name{labels}`: value}."""
        lines = self.expect("/metrics", self.get("/metrics")).text.splitlines()
        return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
                for line in lines if line and not line.startswith("#")}

    def metric(self, name):
        """Sum of a family (0 when absent)."""
        return sum(v for k, v in self.metrics().items() if k == name or k.startswith(name + "{"))


class Server:
    """`perilune serve` on a free port. The directory is removed at the end unless it was given."""

    def __init__(self, *args, data=None, faults=None, env=None, start=True):
        self.directory = tempfile.mkdtemp(prefix="perilune-e2e-")
        self.data = data or os.path.join(self.directory, "data")
        self.log_path = os.path.join(self.directory, "server.log")
        self.args, self.env = list(args), dict(env or {})
        self.port = free_port()
        self.process = None
        self.client = Client(self.port)
        if start:
            try:
                self.start(faults=faults)
            except BaseException:
                self.kill()
                self.remove()
                raise

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.kill()
        if kind is not None:
            print(self.log_tail())
        self.remove()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def start(self, *more_args, faults=None, wait=True):
        """Start (again), on the same port and data; faults as in core/base/fault.h."""
        env = clean_environment(**self.env)
        if faults:
            env["PERILUNE_FAULTS"] = faults
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "serve", "--data", self.data, "--http", f"127.0.0.1:{self.port}",
                 *map(str, self.args), *map(str, more_args)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env)
        if wait:
            self.wait_ready()
        return self

    def client_is_answered(self):
        try:
            return self.client.get("/-/ready").status == 200
        except (OSError, http.client.HTTPException):
            return False

    def wait_ready(self, seconds=READY_SECONDS):
        def ready():
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}\n"
                                     + self.log_tail())
            return self.client_is_answered()
        wait_until(ready, "the server is ready", seconds)

    @property
    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9, and wait until it is gone."""
        self.client.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, seconds=60):
        """SIGTERM; the exit status."""
        self.client.close()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def wait_gone(self, seconds=60):
        """Wait for an end of its own (a fault that kills); the exit status."""
        self.client.close()
        return self.process.wait(seconds)

    def restart(self, *more_args, faults=None):
        self.kill()
        return self.start(*more_args, faults=faults)

    def new_client(self, **options):
        return Client(self.port, **options)

    def log(self):
        if not os.path.exists(self.log_path):
            return ""
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def log_tail(self, lines=40):
        return "--- server log ---\n" + "\n".join(self.log().splitlines()[-lines:])

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class StreamServer(Server):
    """With a msgpack stream on stream_port."""

    def __init__(self, *args, **options):
        self.stream_port = free_port()
        super().__init__(*args, "--stream", f"127.0.0.1:{self.stream_port}", **options)


class ServerCase(unittest.TestCase):
    """A fresh server for each test as self.server; the arguments of `serve` in ARGS. A server that
    ended by itself, or in whose log a sanitizer speaks, fails the test."""
    ARGS = ()
    may_end = False

    def setUp(self):
        self.server = Server(*self.ARGS)
        self.client = self.server.client
        self.addCleanup(self.server.remove)
        self.addCleanup(self.check_end)

    def check_end(self):
        ended = self.server.process.poll()
        self.server.kill()
        log = self.server.log()
        for sign in ("ERROR: AddressSanitizer", "runtime error:", "WARNING: ThreadSanitizer",
                     "ERROR: LeakSanitizer"):
            self.assertNotIn(sign, log)
        if ended not in (None, 0, -signal.SIGKILL) and not self.may_end:
            self.fail(f"the server ended with {ended}\n{self.server.log_tail()}")


class Acknowledged:
    """What writers were promised: {labels: {ms: value}}, and whether a server still has all of it,
    bit by bit and once. Any thread."""

    def __init__(self):
        self.lock = threading.Lock()
        self.series = {}
        self.attempted = {}

    def attempt(self, labels, samples):
        """Before sending: samples [(ms, value)] that may be found although unacknowledged."""
        self._note(self.attempted, labels, samples)

    def add(self, labels, samples):
        """After the acknowledgement."""
        self._note(self.series, labels, samples)

    def _note(self, into, labels, samples):
        key = tuple(sorted(labels.items()))
        with self.lock:
            into.setdefault(key, {}).update(samples)

    def count(self):
        with self.lock:
            return sum(len(samples) for samples in self.series.values())

    def differences(self, found, limit=10):
        """Against Client.raw's result: samples that are missing, different, doubled or invented."""
        out = []
        with self.lock:
            for key, samples in self.series.items():
                have = found.get(key, [])
                by_time = dict(have)
                if len(by_time) != len(have):
                    out.append(f"{dict(key)}: a time stands twice")
                for ms, value in samples.items():
                    if ms not in by_time:
                        out.append(f"{dict(key)} at {ms}: lost")
                    elif wire.bits(by_time[ms]) != wire.bits(value):
                        out.append(f"{dict(key)} at {ms}: {value!r} became {by_time[ms]!r}")
            for key, have in found.items():
                known = {**self.attempted.get(key, {}), **self.series.get(key, {})}
                out += [f"{dict(key)} at {ms}: invented" for ms, _ in have if ms not in known]
        return out[:limit] + ([f"... {len(out)} in all"] if len(out) > limit else [])


def main():
    unittest.main(verbosity=2)
