#!/usr/bin/env python3
# quick
"""The result cache over HTTP: what is repeated comes from it, and is never older than what was
acknowledged; equal queries share one run, and outlive the client that came first."""
import gzip
import json
import socket
import threading
import time
import urllib.parse

import perilune

T = int(time.time()) // 60 * 60 - 7200
HITS = 'perilune_query_cache_requests_total{kind="reply",result="hit"}'
# Some hundred milliseconds at least, and no samples.
SLOW = "max_over_time((vector(time()) % 7)[{}d:10s])"


class CacheCase(perilune.ServerCase):
    def write(self, t, v, host="a"):
        self.client.push_text(f'm{{host="{host}"}} {v} {t * 1000}\n')

    def hits(self):
        return self.client.metrics()[HITS]


class Replies(CacheCase):
    def ask(self, path="/api/v1/query_range", headers=None, **more):
        p = {"query": "m", "start": T, "end": T + 600, "step": 60}
        p.update(more)
        return self.client.expect(path, self.client.get(path, headers, **p))

    def test_what_is_repeated_comes_from_the_cache_until_a_sample_is_written(self):
        self.write(T, 1)
        first = self.ask()
        self.assertEqual(self.hits(), 0)
        again = self.ask()
        self.assertEqual(self.hits(), 1)
        self.assertEqual(first.body, again.body)
        self.assertEqual(first.headers["Content-Type"], again.headers["Content-Type"])
        self.write(T + 3000, 2)  # behind it
        self.assertEqual(self.ask().body, first.body)
        self.assertEqual(self.hits(), 2)
        self.write(T + 60, 3)  # late, in it
        late = self.ask()
        self.assertEqual(self.hits(), 2)
        values = late.json["data"]["result"][0]["values"]
        self.assertEqual([v for _, v in values[:2]], ["1", "3"])

    def test_clients_that_take_gzip_get_the_same_answer_compressed(self):
        for host in "abcdefgh":
            self.write(T, 1, host=host * 50)
        plain = self.ask()
        zipped = [self.ask(headers={"Accept-Encoding": "gzip"}) for _ in range(2)]
        self.assertEqual(self.hits(), 1)
        for one in zipped:
            self.assertEqual(one.headers["Content-Encoding"], "gzip")
            self.assertEqual(gzip.decompress(one.body), plain.body)
        self.assertEqual(self.ask().body, plain.body)
        self.assertEqual(self.hits(), 2)

    def test_each_parameter_counts(self):
        self.write(T, 1)
        self.ask()
        for more in ({"query": "m+1"}, {"start": T + 60}, {"end": T + 540}, {"step": 30},
                     {"limit": 1}, {"lookback_delta": "1m"}):
            self.assertEqual(self.ask(**more).status, 200, more)
        self.assertEqual(self.hits(), 0)

    def test_it_can_be_passed_by(self):
        self.write(T, 1)
        self.ask()
        self.ask(nocache=1)
        self.ask(headers={"Cache-Control": "no-cache"})
        self.ask(stats="all")
        self.assertEqual(self.hits(), 0)
        self.ask(headers={"Cache-Control": "max-age=0"})
        self.assertEqual(self.hits(), 1)

    def test_instant_queries_and_lists_too(self):
        self.write(T, 1)
        for _ in range(2):
            self.client.query("m", time=T)
            self.client.api("/api/v1/label/host/values")
            self.client.api("/api/v1/labels", start=T, end=T + 60)
            self.client.api("/api/v1/series", **{"match[]": "m"})
        self.assertEqual(self.hits(), 4)
        self.client.query("m")  # now is another time each time
        self.client.query("m")
        self.assertEqual(self.hits(), 4)
        self.write(T, 1, host="b")
        self.assertEqual(self.client.api("/api/v1/label/host/values"), ["a", "b"])
        self.assertEqual(len(self.client.api("/api/v1/series", **{"match[]": "m"})), 2)
        self.assertEqual(len(self.client.query("m", time=T)), 2)

    def test_deletion_is_seen_at_once(self):
        self.write(T, 1)
        self.write(T, 1, host="b")
        self.assertEqual(len(self.ask().json["data"]["result"]), 2)
        self.client.expect("delete", self.client.post(
            "/api/v1/admin/tsdb/delete_series?match[]=m%7Bhost%3D%22b%22%7D", ""))
        self.assertEqual(len(self.ask().json["data"]["result"]), 1)

    def test_tenants_do_not_share(self):
        self.write(T, 1)
        self.ask()
        other = self.server.new_client(tenant="other")
        self.addCleanup(other.close)
        self.assertEqual(other.get("/api/v1/query_range", query="m", start=T, end=T + 600,
                                   step=60).status, 404)

    def test_errors_are_not_kept(self):
        for _ in range(2):
            reply = self.client.get("/api/v1/query", query="sum(", time=T)
            self.assertEqual(reply.status, 400)
        self.assertEqual(self.hits(), 0)

    def test_a_query_that_rolls_forward_answers_as_without_the_cache(self):
        for i in range(0, 3600, 15):
            self.write(T + i, i % 977)
        before = self.client.metric("perilune_query_samples_total")
        for k in range(5):
            p = {"query": "rate(m[5m])", "start": T + 600 + 60 * k, "end": T + 3600 + 60 * k,
                 "step": 60}
            rolled = self.ask(**p).json["data"]
            self.assertEqual(rolled, self.ask(nocache=1, **p).json["data"])
        part = 'perilune_query_cache_requests_total{kind="steps",result="part"}'
        self.assertEqual(self.client.metrics()[part], 4)
        self.assertGreater(self.client.metric("perilune_query_samples_total"), before)


class Flights(CacheCase):
    ARGS = ("--query-threads", "1")

    def ask(self, target):
        client = self.server.new_client()
        try:
            return client.get(target)
        finally:
            client.close()

    def target(self, days=60, **more):
        return "/api/v1/query?" + urllib.parse.urlencode(
            {"query": SLOW.format(days), "time": T, **more})

    def test_equal_queries_share_one_run(self):
        before = self.client.metric("perilune_queries_total")
        replies = []
        blocker = threading.Thread(
            target=lambda: self.ask(self.target(days=90)))
        blocker.start()  # the only thread is busy, so all the others find each other
        perilune.wait_until(lambda: self.client.metric("perilune_queries_total") > before,
                            "the first query runs")
        threads = [threading.Thread(target=lambda: replies.append(self.ask(self.target())))
                   for _ in range(20)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        blocker.join()
        self.assertEqual({r.status for r in replies}, {200})
        self.assertEqual(len({r.body for r in replies}), 1)
        runs = self.client.metric("perilune_queries_total") - before
        hits = self.hits()
        self.assertLessEqual(runs - hits, 3)

    def test_the_first_ones_leaving_does_not_end_the_others_run(self):
        begun = self.client.metric("perilune_queries_total")
        first = socket.create_connection(("127.0.0.1", self.server.port))
        first.sendall(f"GET {self.target()} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        perilune.wait_until(lambda: self.client.metric("perilune_queries_total") > begun,
                            "the first query runs")
        out = []
        second = threading.Thread(
            target=lambda: out.append(self.ask(self.target())))
        second.start()
        self.client.metrics()
        first.close()
        second.join()
        self.assertEqual(out[0].status, 200)
        self.assertEqual(json.loads(out[0].body)["data"]["result"][0]["value"][1], "6")

    def test_a_run_that_nobody_waits_for_ends(self):
        target = self.target(days=3000)  # many seconds
        ones = [socket.create_connection(("127.0.0.1", self.server.port)) for _ in range(3)]
        for one in ones:
            one.sendall(f"GET {target} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        perilune.wait_until(lambda: self.client.metric("perilune_queries_total") > 0, "it runs")
        for one in ones:
            one.close()
        perilune.wait_until(lambda: self.client.metric("perilune_query_errors_total") >= 1,
                            "it is cancelled", 60)


if __name__ == "__main__":
    perilune.main()
