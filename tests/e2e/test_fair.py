#!/usr/bin/env python3
# timeout: 300
"""Queries share threads and memory: light ones do not wait for heavy ones, no tenant for another,
a thousand at once are all answered, and what is ended gives its memory back."""
import statistics
import threading
import time

import perilune

T = int(time.time()) // 60 * 60 - 7200
HEAVY = "max_over_time((vector(time()) % 7)[{}d:10s])"  # seconds of work, and no samples
MEMORY = "perilune_query_memory_bytes"


class FairCase(perilune.ServerCase):
    def fill(self, series=50, minutes=60, client=None):
        text = "".join(f'm{{i="{i}",x="{i % 5}"}} {(i * 7 + k) % 101} {(T + 60 * k) * 1000}\n'
                       for i in range(series) for k in range(minutes))
        (client or self.client).push_text(text)

    def ask(self, path, tenant=None, seconds=120, **parameters):
        client = self.server.new_client(tenant=tenant, seconds=seconds)
        begun = time.monotonic()
        try:
            reply = client.get(path, **parameters)
        finally:
            client.close()
        return reply, time.monotonic() - begun

    def in_background(self, n, **options):
        threads = [threading.Thread(target=self.ask, args=("/api/v1/query",), kwargs={
            "query": HEAVY.format(2000 + i), "time": T, "nocache": 1, **options})
            for i in range(n)]
        before = self.client.metric("perilune_queries_total")
        for t in threads:
            t.start()
        perilune.wait_until(lambda: self.client.metric("perilune_queries_total") > before,
                            "heavy queries run")
        return threads

    def end_all(self, threads):
        for one in self.client.api("/api/v1/status/queries")["queries"]:
            self.client.request("DELETE", f"/api/v1/status/queries/{one['id']}")
        for t in threads:
            t.join()


class Light(FairCase):
    ARGS = ("--query-threads", "2", "--query-timeout", "20s", "--tenants-auto")

    def test_a_light_query_does_not_wait_for_heavy_ones(self):
        self.fill()
        threads = self.in_background(3, timeout="6s")
        took = []
        for k in range(20):
            reply, seconds = self.ask("/api/v1/query", query=f"sum(m) + {k}", time=T + 600,
                                      nocache=1)
            self.assertEqual(reply.status, 200)
            took.append(seconds)
        for t in threads:
            t.join()
        self.assertLess(statistics.median(took), 0.25)
        self.assertLess(max(took), 2)

    def test_many_heavy_queries_of_one_tenant_do_not_starve_another(self):
        self.fill()
        other = self.server.new_client(tenant="noisy")
        self.addCleanup(other.close)
        self.fill(series=1, client=other)
        threads = self.in_background(40, timeout="5s", tenant="noisy")
        reply, seconds = self.ask("/api/v1/query", query="sum(m)", time=T + 600, nocache=1)
        for t in threads:
            t.join()
        self.assertEqual(reply.status, 200)
        self.assertLess(seconds, 12)


class Thousand(FairCase):
    ARGS = ("--query-threads", "2", "--query-max-total-memory-bytes", "64MB",
            "--query-max-waiting", "2000", "--http-max-connections", "3000")

    def rss(self):
        with open(f"/proc/{self.server.process.pid}/status", encoding="ascii") as f:
            return next(int(line.split()[1]) for line in f if line.startswith("VmRSS")) * 1024

    def test_a_thousand_range_queries_at_once_are_all_answered_in_bounded_memory(self):
        self.fill(series=200)
        self.client.query("m", time=T)
        before, out, peak = self.rss(), [], 0

        def ask(k):
            reply, seconds = self.ask("/api/v1/query_range", query=f"m + {k}", start=T,
                                      end=T + 3600, step=15)
            out.append((reply.status, seconds, len(reply.body)))

        threads = [threading.Thread(target=ask, args=(k,)) for k in range(1000)]
        for t in threads:
            t.start()
        while any(t.is_alive() for t in threads):
            peak = max(peak, self.rss())
            threads[-1].join(0.05)
            if not threads[-1].is_alive():
                threads.pop()
        self.assertEqual(len(out), 1000)
        self.assertEqual({s for s, _, _ in out}, {200})
        self.assertGreater(min(n for _, _, n in out), 200 * 240 * 10)
        self.assertLess(peak - before, 900 << 20)
        self.assertEqual(self.client.metric(MEMORY), 0)


class Memory(FairCase):
    ARGS = ("--query-threads", "2", "--query-max-total-memory-bytes", "1MB")

    def test_what_does_not_fit_is_to_be_tried_again(self):
        self.fill(series=300)
        reply, _ = self.ask("/api/v1/query_range", query="m + 1", start=T, end=T + 3600, step=1,
                            nocache=1)
        self.assertEqual(reply.status, 429)
        self.assertIn("Retry-After", reply.headers)
        self.assertEqual(self.client.metric(MEMORY), 0)
        reply, _ = self.ask("/api/v1/query_range", query="sum(m)", start=T, end=T + 3600, step=60)
        self.assertEqual(reply.status, 200)

    def test_what_is_ended_gives_its_memory_back(self):
        threads = self.in_background(2)
        self.end_all(threads)
        perilune.wait_until(lambda: self.client.metric(MEMORY) == 0, "memory is free", 10)


if __name__ == "__main__":
    perilune.main()
