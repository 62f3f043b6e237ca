#!/usr/bin/env python3
# timeout: 200
"""Clients that are slow, many, wrong or malicious: each is refused in words, and the others notice
nothing. Limits are set low so that no test waits for long."""
import gzip
import json
import re
import resource
import signal
import socket
import threading
import time
import unittest
import urllib.parse
import zlib

import perilune
import wire
import writers

T = int(time.time()) // 60 * 60 * 1000 - 600_000


def read_all(sock):
    data = b""
    try:
        while True:
            part = sock.recv(65536)
            if not part:
                return data
            data += part
    except (ConnectionError, socket.timeout):
        return data


class HostileCase(unittest.TestCase):
    def make(self, *args, **options):
        server = perilune.StreamServer(*args, **options)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        return server

    def connect(self, server, seconds=30):
        sock = socket.create_connection(("127.0.0.1", server.port), timeout=seconds)
        self.addCleanup(sock.close)
        return sock

    def is_well(self, server, crew=None):
        self.assertTrue(server.alive, server.log_tail())
        server.client.close()  # it may have been idle for too long
        self.assertEqual(server.client.get("/-/healthy").status, 200)
        if crew:
            self.assertEqual(crew.check(), [])


class Slow(HostileCase):
    ARGS = ("--http-header-timeout", "1s", "--http-body-timeout", "1s", "--http-idle-timeout", "2s",
            "--http-write-timeout", "2s", "--http-min-body-rate", "100KB")

    def test_slow_headers_bodies_and_readers_are_ended_while_a_writer_goes_on(self):
        server = self.make(*self.ARGS)
        crew = writers.Crew(server, pause=0.01)
        crew.start()
        headers = [self.connect(server) for _ in range(20)]
        for sock in headers:
            sock.sendall(b"POST /api/v1/push HTTP/1.1\r\nHost: x\r\nX-Slow: ")
        bodies = [self.connect(server) for _ in range(20)]
        for sock in bodies:
            sock.sendall(b"POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\n"
                         b"Content-Length: 1000\r\n\r\nup 1")
        idle = self.connect(server)
        idle.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        for sock in headers + bodies:
            self.assertIn(b" 408 ", read_all(sock))
        self.assertTrue(read_all(idle).startswith(b"HTTP/1.1 200 "))
        reader = self.connect(server)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        ask = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
        reader.settimeout(10)
        try:
            for _ in range(3000):  # never reads an answer
                reader.sendall(ask * 10)
        except OSError:
            pass
        before = crew.progress()
        perilune.wait_until(lambda: crew.progress() > before + 20, "the writers go on")
        crew.stop()
        self.is_well(server, crew)
        self.assertLess(server.client.metric("process_resident_memory_bytes"), 500 << 20)


class Many(HostileCase):
    def test_ten_thousand_idle_connections_leave_a_writer_alone(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        wanted = min(10_000, hard - 1000)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        server = self.make()
        crew = writers.Crew(server, pause=0.01)
        crew.start()
        crowd = []
        for _ in range(wanted):
            sock = socket.socket()
            sock.connect(("127.0.0.1", server.port))
            crowd.append(sock)
        before = crew.progress()
        perilune.wait_until(lambda: crew.progress() > before + 20, "the writers go on")
        crew.stop()
        self.is_well(server, crew)
        for sock in crowd:
            sock.close()
        self.is_well(server, crew)

    def test_out_of_descriptors_is_survived(self):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        server = self.make(start=False)
        server.start()
        resource.prlimit(server.process.pid, resource.RLIMIT_NOFILE, (90, 90))
        crew = writers.Crew(server, pause=0.01)
        crew.start()
        perilune.wait_until(lambda: crew.progress() > 20, "there is room for the writers")
        crowd = []
        for _ in range(200):
            sock = socket.socket()
            sock.settimeout(5)
            try:
                sock.connect(("127.0.0.1", server.port))
            except OSError:
                pass
            crowd.append(sock)
        before = crew.progress()
        perilune.wait_until(lambda: crew.progress() > before + 20, "the writers go on")
        for sock in crowd:
            sock.close()
        crew.stop()
        perilune.wait_until(server.client_is_answered, "new connections are taken again")
        self.is_well(server, crew)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Wrong(HostileCase):
    def test_zip_bombs_are_refused_before_they_take_memory(self):
        server = self.make("--max-inflated-bytes", "8MB")
        zeros = b"\0" * (64 << 20)
        bombs = {"gzip": gzip.compress(zeros), "deflate": zlib.compress(zeros),
                 "snappy": wire.varint(1 << 31) + b"\0" * 100}
        # zstd frames of 128 KB blocks of one repeated byte (RFC 8878, 3.1.1.2: RLE blocks)
        block = (128 << 10 << 3 | 1 << 1).to_bytes(3, "little") + b"\0"
        last = (128 << 10 << 3 | 1 << 1 | 1).to_bytes(3, "little") + b"\0"
        bombs["zstd"] = b"\x28\xb5\x2f\xfd\x00\x68" + block * 4000 + last
        bombs["gzip, gzip"] = gzip.compress(bombs["gzip"])
        for encoding, body in bombs.items():
            for path in ("/api/v1/push", "/api/v1/import/prometheus", "/write", "/api/v1/write"):
                reply = server.client.post(path, body, headers={"Content-Encoding": encoding})
                self.assertIn(reply.status, (400, 413), f"{encoding} {path}: {reply}")
        self.is_well(server)
        self.assertLess(server.client.metric("process_resident_memory_bytes"), 200 << 20)

    def test_bad_requests_are_answered_and_end_only_their_connection(self):
        server = self.make("--http-max-header-bytes", "16KB", "--http-max-body-bytes", "1MB")
        for request, status in (
                (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", None),
                (b"GET / HTTP/9.9\r\n\r\n", None), (b"GET  HTTP/1.1\r\n\r\n", 400),
                (b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"a" * 100_000 + b"\r\n\r\n", 431),
                (b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", None),
                (b"POST /api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400),
                (b"POST /api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", 413),
                (b"POST /api/v1/push HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n"
                 b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
                (b"POST /api/v1/push HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"zz\r\n", 400)):
            sock = self.connect(server, 15)
            try:
                sock.sendall(request)
                sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass
            answer = read_all(sock)
            if status:
                self.assertIn(f" {status} ".encode(), answer[:20], f"{request[:60]}: {answer[:80]}")
            self.is_well(server)
        for body in (b"", b"\xc1", b"\xdf\xff\xff\xff\xff", b"\x91" * 100_000, b"[" * 100_000,
                     b"\xff" * 1000):
            for path in ("/api/v1/push", "/api/v1/write", "/api/v1/import/prometheus", "/write"):
                for kind in ("application/json", "application/msgpack", "application/x-ndjson"):
                    reply = server.client.post(path, body, kind)
                    self.assertIn(reply.status, (200, 204, 400, 413), f"{path} {body[:9]} {reply}")
        self.is_well(server)

    def test_pipelined_chunked_and_expecting_requests_are_answered_in_order(self):
        server = self.make()
        sock = self.connect(server)
        text = f"piped 1 {T}\n".encode()
        sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
                     b"POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\n"
                     b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n"
                     b"GET /no/such HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                     % (len(text), text))
        answers = read_all(sock)
        codes = re.findall(rb"HTTP/1\.1 (\d+) ", answers)
        self.assertEqual(codes, [b"200", b"204", b"404"], answers)
        sock = self.connect(server)
        sock.sendall(b"POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
                     b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(text))
        self.assertTrue(sock.recv(100).startswith(b"HTTP/1.1 100 "))
        sock.sendall(text)
        self.assertIn(b" 204 ", read_all(sock))

    def test_too_much_at_once_is_429_with_bounded_memory(self):
        server = self.make("--journal-queue-bytes", "256KB", "--http-max-inflight-bytes", "4MB")
        crew = writers.Crew(server)
        crew.start()
        body = "".join(f'much{{n="{n}"}} {n} {T}\n' for n in range(20_000))
        statuses = set()

        def push():
            client = server.new_client()
            for _ in range(6):
                try:
                    statuses.add(client.post("/api/v1/import/prometheus", body).status)
                except OSError:
                    pass  # it opens another connection
            client.close()
        pushers = [threading.Thread(target=push) for _ in range(8)]
        for thread in pushers:
            thread.start()
        for thread in pushers:
            thread.join()
        crew.stop()
        self.assertIn(429, statuses)
        self.assertLessEqual(statuses, {200, 204, 429, 503})
        self.is_well(server, crew)
        self.assertLess(server.client.metric("process_resident_memory_bytes"), 400 << 20)


class Queries(HostileCase):
    """Queries that want too much: each is answered or refused in bounded time and memory, with a
    reason, and writers go on."""
    TIMEOUT = 2
    SLACK = 5  # seconds beyond it

    def ask(self, server, path, **parameters):
        body = urllib.parse.urlencode({"timeout": str(self.TIMEOUT), "nocache": "1", **parameters},
                                      doseq=True)
        client = server.new_client(seconds=30)
        begun = time.monotonic()
        reply = client.post(path, body, "application/x-www-form-urlencoded")
        client.close()
        self.assertLess(time.monotonic() - begun, self.TIMEOUT + self.SLACK, parameters)
        self.assertNotEqual(reply.status, 500, reply)
        return reply

    def test_queries_that_want_too_much_end_in_bounded_time_and_memory(self):
        server = self.make("--query-max-memory-bytes", "200MB")
        for n in range(4):
            server.client.push_text("".join(f'm{{n="{i}",g="g{i % 7}"}} {i} {T + n * 15_000}\n'
                                            for i in range(3000)))
        crew = writers.Crew(server, pause=0.01)
        crew.start()
        every = '{__name__=~".+"}'
        at = {"time": str(T / 1000 + 60)}
        wide = {"start": str(T / 1000 - 5000), "end": str(T / 1000 + 5000), "step": "1"}
        blown = ("label_join(" * 25 + "vector(1)" + ',"h","x","h","h","h","h")' * 25).replace(
            "vector(1)", 'label_replace(vector(1),"h","x","","")')
        squared = "WITH (" + ",".join(["a0 = m"] + [f"a{i} = a{i - 1} + a{i - 1}"
                                                    for i in range(1, 60)]) + ") a59"
        for query, where, statuses in (
                ("(" * 100_000 + "m" + ")" * 100_000, at, (400,)),
                ("-" * 100_000 + "m", at, (400,)), ("+".join(["m"] * 50_000), at, (400,)),
                (" or ".join(f'm{{n="{i}"}}' for i in range(1500)), at, (200,)),
                (" or ".join([every] * 1000), at, (200, 422, 503)), (squared, at, (400, 422)),
                (blown, at, (422,)),
                (f'label_replace(m,"a","{"$1" * 50_000}","n","(.*)")', at, (422, 503)),
                (f'label_join(m,"a","{"s" * 900_000}","n","n","n")', at, (422, 503)),
                (f'count_values("{"x" * 900_000}",m)', wide, (422, 503)),
                ("sort_by_label(m," + ",".join(f'"l{i}"' for i in range(20_000)) + ")", at,
                 (200, 503)),
                ('m{n=~"((a{1,1000}){1,1000}){1,1000}"}', at, (400,)),
                ('m{n=~"(.*)*(.*)*(.*)*(.*)*[0-9]{50}.*z"}', at, (200,)),
                ("max_over_time(m[100y:1s])", at, (422,)), ("quantile(0.9,m)", wide, (200, 422, 503)),
                ("m and on() m or m * on(g) group_left m", at, (422,)),
                ("forecast(m[1h],3600)", wide, (200, 422, 503)),
                ("correlate(m[1h],m[1h])", wide, (200, 422, 503)),
                ("topk(1e18,m)", at, (200,)), ("topk(NaN,m)", at, (422,)),
                ("m[99999999999999999999y]", at, (400,)), ("m @ 1e300", at, (400,)),
                ("m offset -99999999999999999999s", at, (400,)), ("1e308Ti", at, (200, 400)),
                ('m{n="\0"}', at, (200, 400)), (b'm{n="\xff\xfe"}', at, (400,)),
                ("m", {"time": "1e300"}, (400, 422)), ("m", {"time": "1\0"}, (400,))):
            path = "/api/v1/query_range" if where is wide else "/api/v1/query"
            reply = self.ask(server, path, query=query, **where)
            self.assertIn(reply.status, statuses, f"{query[:60]}: {reply}")
            if reply.status != 200:
                self.assertGreater(len(reply.json["error"]), 10, reply)
        for path in ("series", "labels", "label/n/values"):
            self.ask(server, f"/api/v1/{path}", **{"match[]": [every] * 2000})
        before = crew.progress()
        perilune.wait_until(lambda: crew.progress() > before + 20, "the writers go on")
        crew.stop()
        self.is_well(server, crew)
        self.assertLess(server.client.metric("process_resident_memory_bytes"), 900 << 20)


class Drain(HostileCase):
    def test_on_sigterm_requests_under_way_are_answered_and_all_acknowledged_is_kept(self):
        server = self.make()
        crew = writers.Crew(server)
        crew.start()
        perilune.wait_until(lambda: crew.progress() > 50, "the writers are at it")
        sock = self.connect(server)
        text = f"late 1 {T}\n".encode()
        sock.sendall(b"POST /api/v1/import/prometheus HTTP/1.1\r\nHost: x\r\n"
                     b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(text))
        self.assertIn(b" 100 ", sock.recv(100))  # the head is read: the request is under way
        sock.sendall(text[:5])
        server.client.close()
        server.process.send_signal(signal.SIGTERM)
        perilune.wait_until(lambda: "stopping" in server.log(), "it begins to stop")
        sock.sendall(text[5:])
        self.assertIn(b" 204 ", read_all(sock))
        self.assertEqual(server.process.wait(30), 0, server.log_tail())
        crew.finish()
        server.start()
        self.is_well(server, crew)
        self.assertEqual(len(server.client.query("late", time=T / 1000)), 1)

    def test_a_stream_that_ends_its_half_gets_all_its_acknowledgements(self):
        server = self.make()
        with socket.create_connection(("127.0.0.1", server.stream_port), timeout=30) as sock:
            out = wire.msgpack([0, {"version": 1, "producer": "p"}])
            out += wire.msgpack([1, {1: {"__name__": "half"}}])
            for seq in range(1, 31):
                out += wire.msgpack([2, seq, [1], [T + seq], [float(seq)]])
            sock.sendall(out)
            sock.shutdown(socket.SHUT_WR)
            answer = read_all(sock)
        messages = []
        while answer:
            message, used = wire.unmsgpack(answer)
            messages.append(message)
            answer = answer[used:]
        self.assertEqual(max(m[1] for m in messages if m[0] == 2), 30, json.dumps(messages))

    def test_handles_survive_that_series_are_forgotten(self):
        """A handle that is defined and not written yet: a compaction forgets its series."""
        server = self.make()
        with socket.create_connection(("127.0.0.1", server.stream_port), timeout=30) as sock:
            sock.sendall(wire.msgpack([0, {"version": 1}])
                         + wire.msgpack([1, {1: {"__name__": "kept"}, 2: {"__name__": "later"}}])
                         + wire.msgpack([2, 1, [1], [T], [1.0]]))
            got = b""
            while not got.endswith(wire.msgpack([2, 1])):
                got += sock.recv(4096)
            for _ in range(3):
                server.client.expect("compact", server.client.post("/api/v1/admin/compact", b""))
            sock.sendall(wire.msgpack([2, 2, [1, 2], [T + 1, T + 1], [2.0, 3.0]]))
            sock.shutdown(socket.SHUT_WR)
            self.assertEqual(read_all(sock), wire.msgpack([2, 2]))
        self.assertEqual(len(server.client.query("later", time=T / 1000 + 1)), 1)


if __name__ == "__main__":
    perilune.main()
