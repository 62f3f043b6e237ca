#!/usr/bin/env python3
"""Answers that are too large to be built whole are sent in pieces: they are the same as small ones
put together, they hold little memory however slow their client is, and they end when the client
goes, when they are killed, or when nothing is taken for too long."""
import gzip
import json
import re
import socket
import threading
import time
import unittest
import urllib.parse
import zlib

import perilune

T = int(time.time()) // 3600 * 3600 - 7200
SERIES = 3200
STEPS = 600
BUDGET = "perilune_query_memory_bytes"
RANGE = {"query": "big", "start": T, "end": T + STEPS - 1, "step": 1}


def fill(client, series=SERIES):
    """Series with a sample every 10 s."""
    for at in range(0, series, 200):
        client.push_text("".join(
            f'big{{part="{n % 8}",n="{n:05}",host="host-{n:05}.example.com"}} {n * 1.25 + i / 7} '
            f'{(T + 10 * i) * 1000}\n'
            for n in range(at, min(at + 200, series)) for i in range(STEPS // 10)))


def path_of(path, **parameters):
    return path + "?" + urllib.parse.urlencode(parameters)


class Raw:
    """A request whose answer is read by hand, and slowly."""

    def __init__(self, server, path, headers="", method="GET", version="1.1"):
        self.sock = socket.socket()
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        self.sock.settimeout(60)
        self.sock.connect(("127.0.0.1", server.port))
        self.sock.sendall(f"{method} {path} HTTP/{version}\r\nHost: x\r\n{headers}\r\n".encode())
        self.left = b""

    def head(self):
        while b"\r\n\r\n" not in self.left:
            self.more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        return head.decode()

    def more(self):
        data = self.sock.recv(1 << 16)
        if not data:
            raise EOFError
        self.left += data

    def take(self, n):
        while len(self.left) < n:
            self.more()
        data, self.left = self.left[:n], self.left[n:]
        return data

    def chunks(self):
        """Of a chunked body, checked byte by byte."""
        while True:
            while b"\r\n" not in self.left:
                self.more()
            size, _, self.left = self.left.partition(b"\r\n")
            assert re.fullmatch(rb"[0-9a-f]{1,15}", size), size
            data = self.take(int(size, 16))
            end = self.take(2)
            assert end == b"\r\n", end
            if not data:
                return
            yield data

    def close(self):
        self.sock.close()


class Pieces(perilune.ServerCase):
    ARGS = ("--query-max-memory-bytes", "512MB", "--query-max-total-memory-bytes", "1GB")

    def setUp(self):
        super().setUp()
        fill(self.client)

    def rss(self):
        return self.client.metric("process_resident_memory_bytes")

    def held(self):
        return self.client.metric(BUDGET)

    def sending(self):
        return [q for q in self.client.api("/api/v1/status/queries")["queries"]
                if q["state"] == "sending"]

    def nothing_held(self):
        perilune.wait_until(lambda: self.held() == 0 and not self.sending(), "all is freed")

    def whole(self, headers=None, **parameters):
        return self.client.expect("query_range", self.client.get(
            "/api/v1/query_range", headers=headers, **{**RANGE, **parameters}))

    def test_a_large_answer_is_what_small_ones_give(self):
        reply = self.whole(stats="1")
        self.assertGreater(len(reply.body), 50 << 20)
        self.assertEqual(reply.headers["Transfer-Encoding"], "chunked")
        answer = reply.json
        self.assertEqual(list(answer["data"]), ["resultType", "result", "stats"])
        parts = []
        for part in range(8):
            small = self.whole(query=f'big{{part="{part}"}}', nocache="1")
            parts += small.json["data"]["result"]
        def by_labels(series):
            return sorted(series, key=lambda one: one["metric"]["n"])
        self.assertEqual(len(parts), SERIES)
        self.assertEqual(by_labels(parts), by_labels(answer["data"]["result"]))
        some = self.whole(query='big{n=~"000.."}', nocache="1").json  # by several threads
        self.assertEqual(some["data"]["result"], [one for one in answer["data"]["result"]
                                                  if one["metric"]["n"].startswith("000")])
        limited = self.whole(limit=SERIES - 1).json
        self.assertEqual(limited["data"]["result"], answer["data"]["result"][:SERIES - 1])
        self.assertEqual(limited["warnings"], ["results truncated due to limit"])
        self.nothing_held()

    def test_a_series_of_its_own_is_cut_into_pieces_as_well(self):
        client = self.client
        for at in range(0, 300_000, 50_000):
            client.push_text("".join(f"one {i / 3} {T * 1000 + i}\n"
                                     for i in range(at, at + 50_000)))
        reply = client.get("/api/v1/query", query="one[301s]", time=T + 300)
        self.assertEqual(reply.headers["Transfer-Encoding"], "chunked")
        values = reply.json["data"]["result"][0]["values"]
        self.assertEqual(len(values), 300_000)
        self.assertEqual(values[299_999], [T + 299.999, repr(299_999 / 3)])

    def test_csv_is_cut_between_its_lines(self):
        accept = {"Accept": "text/csv"}
        reply = self.whole(headers=accept)
        self.assertEqual(reply.headers["Transfer-Encoding"], "chunked")
        lines = reply.text.splitlines()
        self.assertEqual(lines[0], "__name__,host,n,part,timestamp,value")
        self.assertEqual(len(lines), 1 + SERIES * STEPS)
        small = []
        for part in range(8):
            small += self.whole(headers=accept, query=f'big{{part="{part}"}}').text.splitlines()[1:]
        self.assertEqual(sorted(small), sorted(lines[1:]))

    def test_chunks_are_well_formed_and_the_connection_goes_on(self):
        raw = Raw(self.server, path_of("/api/v1/query_range", **RANGE))
        self.assertIn("Transfer-Encoding: chunked", raw.head())
        chunks = list(raw.chunks())
        self.assertGreater(len(chunks), 10)
        self.assertLess(max(map(len, chunks)), 10 << 20)
        self.assertLess(max(map(len, chunks[1:])), 2 << 20)
        self.assertEqual(len(json.loads(b"".join(chunks))["data"]["result"]), SERIES)
        raw.sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn("200 OK", raw.head())
        raw.close()
        old = Raw(self.server, path_of("/api/v1/query_range", **RANGE), version="1.0")
        self.assertNotIn("chunked", old.head())
        with self.assertRaises(EOFError):
            while True:
                old.more()
        self.assertEqual(old.left, b"".join(chunks))
        old.close()

    def test_head_has_no_body(self):
        raw = Raw(self.server, path_of("/api/v1/query_range", **RANGE), method="HEAD")
        self.assertIn("200 OK", raw.head())
        raw.sock.sendall(b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertIn("200 OK", raw.head())
        raw.close()
        self.nothing_held()

    def test_gzip_inflates_to_the_same(self):
        plain = self.whole()
        for accept in ("application/json", "text/csv"):
            headers = {"Accept": accept}
            plain = self.whole(headers=headers)
            zipped = self.whole(headers={**headers, "Accept-Encoding": "gzip"})
            self.assertEqual(zipped.headers["Content-Encoding"], "gzip")
            self.assertEqual(zipped.headers["Vary"], "Accept-Encoding")
            self.assertLess(len(zipped.body), len(plain.body) / 2)
            decoder = zlib.decompressobj(31)
            self.assertEqual(decoder.decompress(zipped.body), plain.body)
            self.assertTrue(decoder.eof)
            self.assertEqual(decoder.unused_data, b"")  # one member
        head = self.client.request("HEAD", path_of("/api/v1/query_range", **RANGE),
                                   headers={"Accept-Encoding": "gzip"})
        self.assertEqual((head.status, head.body), (200, b""))

    def test_exports_federation_and_labels_of_the_gzip_way_are_the_same(self):
        for path in ("/api/v1/export", "/federate"):
            now = {} if path == "/api/v1/export" else None
            if now is None:
                self.client.push_text("".join(
                    f'now{{n="{n:05}",host="host-{n:05}.example.com",text="{"x" * 400}"}} {n}\n'
                    for n in range(5000)))
            name = "big" if now is not None else "now"
            plain = self.client.get(path, **{"match[]": name})
            self.assertEqual(plain.headers["Transfer-Encoding"], "chunked")
            self.assertEqual(plain.text.count(name), SERIES if name == "big" else 5001)
            zipped = self.client.get(path, headers={"Accept-Encoding": "gzip"},
                                     **{"match[]": name})
            self.assertEqual(zipped.headers["Content-Encoding"], "gzip")
            self.assertEqual(gzip.decompress(zipped.body), plain.body)

    def test_a_slow_client_holds_the_result_and_little_more(self):
        self.whole()
        self.nothing_held()
        before = self.rss()
        raw = Raw(self.server, path_of("/api/v1/query_range", **RANGE))
        self.assertIn("200 OK", raw.head())
        perilune.wait_until(self.sending, "it is listed as sending")
        held = self.held()
        self.assertGreater(held, SERIES * STEPS * 8)
        self.assertLess(held, SERIES * STEPS * 8 * 3)
        got = 0
        for chunk in raw.chunks():
            got += len(chunk)
            self.assertLess(self.rss(), before + (100 << 20))
        self.assertGreater(got, 50 << 20)
        raw.close()
        self.nothing_held()

    def test_a_client_that_goes_in_the_middle_frees_it_all(self):
        for headers in ("", "Accept-Encoding: gzip\r\n"):
            for read in (0, 1, 300_000, 6_000_000):
                raw = Raw(self.server, path_of("/api/v1/query_range", **RANGE),
                          headers + "Connection: close\r\n")
                try:
                    while len(raw.left) < read:
                        raw.more()
                except EOFError:
                    pass
                raw.close()
        self.nothing_held()
        self.assertEqual(len(self.whole().json["data"]["result"]), SERIES)

    def test_a_kill_in_the_middle_cuts_the_answer_and_frees_it(self):
        raw = Raw(self.server, path_of("/api/v1/query_range", **RANGE))
        self.assertIn("200 OK", raw.head())
        one = perilune.wait_until(self.sending, "it is listed")[0]
        self.assertEqual(one["query"], "big")
        self.assertGreater(self.held(), 0)
        self.client.expect("kill", self.client.request(
            "DELETE", f"/api/v1/status/queries/{one['id']}"))
        self.nothing_held()
        with self.assertRaises((EOFError, OSError)):
            for _ in raw.chunks():
                pass
        raw.close()

    def test_those_who_ask_for_the_same_share_the_result(self):
        want = self.whole().body
        path = path_of("/api/v1/query_range", **RANGE)
        raws = [Raw(self.server, path) for _ in range(6)]
        peak, bodies = [0.0], [None] * len(raws)

        def read(i):
            raws[i].head()
            bodies[i] = b"".join(raws[i].chunks())
            raws[i].close()
        perilune.wait_until(lambda: len(self.sending()) == len(raws), "all are sent")
        peak[0] = self.held()
        threads = [threading.Thread(target=read, args=(i,)) for i in range(len(raws))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([body == want for body in bodies], [True] * len(raws))
        self.assertLess(peak[0], 6 * SERIES * STEPS * 8 * 3)
        self.nothing_held()

    def test_twenty_slow_clients_leave_others_alone(self):
        raws = [Raw(self.server, path_of("/api/v1/query_range",
                                         **{**RANGE, "query": f"big + {i} * 0"}))
                for i in range(20)]
        for raw in raws:
            head = raw.head()
            self.assertTrue("200 OK" in head or "429" in head or "422" in head, head)
        answered = [raw for raw in raws if raw.sock]
        self.assertEqual(self.client.query("count(big)", time=T + 60)[0]["value"][1], str(SERIES))
        self.assertLess(self.rss(), 1500 << 20)
        for raw in answered:
            raw.close()
        self.nothing_held()


class WriteTimeout(perilune.ServerCase):
    ARGS = ("--http-write-timeout", "1s")

    def test_who_takes_nothing_is_ended_and_what_it_held_freed(self):
        fill(self.client)
        for headers in ("", "Accept-Encoding: gzip\r\n"):
            raw = Raw(self.server, path_of("/api/v1/query_range", **RANGE),
                          headers + "Connection: close\r\n")
            self.assertIn("200 OK", raw.head())
            perilune.wait_until(lambda: self.client.metric(BUDGET) == 0, "it is ended", 20)
            raw.close()


class Shutdown(perilune.ServerCase):
    ARGS = ("--drain-timeout", "2s")

    def test_a_server_ends_with_answers_under_way(self):
        fill(self.client)
        raws = [Raw(self.server, path_of("/api/v1/query_range", **RANGE)) for _ in range(3)]
        raws.append(Raw(self.server, path_of("/api/v1/export", **{"match[]": "big"})))
        for raw in raws:
            self.assertIn("200 OK", raw.head())
        self.assertEqual(self.server.stop(), 0)
        for raw in raws:
            raw.close()


if __name__ == "__main__":
    perilune.main()
