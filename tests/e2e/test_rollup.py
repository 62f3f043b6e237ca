#!/usr/bin/env python3
# quick
"""Rollup tiers of a running server: what queries read and say, settings, kill, backup, deletion."""
import glob
import os
import time

import perilune

HOUR = 3600
END = int(time.time()) // HOUR * HOUR - 14 * HOUR  # behind a retention of 12 h
HOURS = 8


class Rollup(perilune.unittest.TestCase):
    def make(self, *args, **options):
        server = perilune.Server(*args, **options)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        return server

    def fill(self, server):
        for name in ("hits_total", "other_total"):
            server.client.remote_write([({"__name__": name, "n": str(n)},
                                         [((END - HOURS * HOUR + (i + 1) * 60) * 1000, float(i * (n + 1)))
                                          for i in range(HOURS * 60)]) for n in range(3)])
        self.tend(server)

    def bytes(self, server, tier):
        return sum(os.path.getsize(f) for f in glob.glob(os.path.join(
            server.data, "rollup", tier, "*", "[hs]*-*", "data.mdb")))

    def tend(self, server):
        server.client.expect("compact", server.client.post("/api/v1/admin/compact", b""))

    def ask(self, server, query, start=END - (HOURS - 1) * HOUR, step=HOUR):
        reply = server.client.expect(query, server.client.get(
            "/api/v1/query_range", query=query, start=str(start), end=str(END), step=str(step),
            stats="all")).json
        data = reply["data"]
        return ([[float(v) for _, v in one["values"]] for one in data["result"]],
                data["stats"]["read"]["tier"], " ".join(reply.get("infos", [])))

    def test_queries_read_tiers_and_go_on_when_the_samples_are_gone(self):
        server = self.make("--rollup", "5m:30d,1h:1y")
        self.fill(server)
        self.assertGreater(self.bytes(server, "1h-1y"), 0)
        self.assertEqual(self.bytes(server, "5m-30d"), 0)  # waits until its samples are about to go
        counts = [[60.0] * HOURS] * 3
        rates, tier, infos = self.ask(server, "rate(hits_total[1h])")
        self.assertEqual((tier, "no longer" in infos), ("1h", False))
        self.assertEqual(self.ask(server, "count_over_time(hits_total[1h])")[:2], (counts, "1h"))
        self.assertEqual(self.ask(server, "count_over_time(hits_total[1h])", step=HOUR - 7)[1], "raw")
        self.assertGreater(server.client.metric("perilune_rollup_buckets_total"), 0)
        plan = server.client.api("/api/v1/explain", query="sum(rate((hits_total[1h])))", step=str(HOUR),
                                 start=str(END - (HOURS - 1) * HOUR), end=str(END))["plan"]
        while "children" in plan:
            plan = plan["children"][0]
        self.assertEqual((plan["kind"], plan["tier"]), ("range selector", "1h"))
        server.kill()
        server.args = ["--rollup", "5m:30d,1h:1y", "--retention", "12h"]
        server.start()
        self.tend(server)
        self.assertGreater(self.bytes(server, "5m-30d"), 0)
        for turn in range(2):
            got, tier, infos = self.ask(server, "rate(hits_total[1h])")
            self.assertEqual((got, tier), (rates, "1h"), turn)
            self.assertIn("no longer kept: read from the 1h tier", infos)
            self.assertEqual(self.ask(server, "count_over_time(hits_total[1h])")[0], counts)
            values, tier, _ = self.ask(server, 'hits_total{n="0"}')
            self.assertEqual((values, tier), ([[i * 60.0 - 1 for i in range(1, HOURS + 1)]], "5m"))
            server.kill()
            server.start()
        self.assertEqual(len(server.client.api("/api/v1/series", **{
            "match[]": "hits_total", "start": str(END - HOUR), "end": str(END)})), 3)
        backup = os.path.join(server.directory, "backup")
        perilune.run("backup", "--url", server.url, backup)
        perilune.run("check-store", backup)
        copy = self.make(start=False)
        copy.args = list(server.args)
        perilune.run("restore", backup, copy.data)
        copy.start()
        self.assertEqual(self.ask(copy, "rate(hits_total[1h])")[0], rates)
        # A deletion takes whole buckets away, though no samples are left.
        copy.client.expect("delete", copy.client.post(
            "/api/v1/admin/tsdb/delete_series?match[]=hits_total&start="
            f"{END - HOUR}.001&end={END}", b""))  # all of the last bucket, to the millisecond
        self.assertEqual(self.ask(copy, "count_over_time(hits_total[1h])")[0],
                         [[60.0] * (HOURS - 1)] * 3)

    def test_overrides_come_from_a_file_and_wrong_ones_stop_the_start(self):
        server = self.make(start=False)
        path = os.path.join(server.directory, "p.yaml")
        with open(path, "w", encoding="utf-8") as f:
            f.write("rollup: 1h:30d\nrollup_overrides:\n"
                    "  - match: '{__name__=\"other_total\"}'\n    tiers: ''\n")
        server.args = ["--config", path]
        server.start()
        self.fill(server)
        self.assertEqual(self.ask(server, "count_over_time(hits_total[1h])")[1], "1h")
        self.assertEqual(self.ask(server, "count_over_time(other_total[1h])"),
                         ([[60.0] * HOURS] * 3, "raw", ""))
        server.stop()
        with open(path, "a", encoding="utf-8") as f:
            f.write("  - match: 'x{'\n    tiers: 1h:1d\n")
        done = perilune.run("serve", "--config", path, "--data", server.data, check=False)
        self.assertIn(b"p.yaml:5:12: match: ", done.stderr)


if __name__ == "__main__":
    perilune.main()
