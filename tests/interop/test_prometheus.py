#!/usr/bin/env python3
# timeout: 240
"""Prometheus 2.42, vmagent and node_exporter as they are: what they send is what we have."""
import math
import time

import peers
import perilune
import wire

# Over windows of a few seconds of a scrape each second.
EXPRESSIONS = """
up
{job="node"}
node_cpu_seconds_total{mode=~"user|system"}
rate(node_cpu_seconds_total[4s])
increase(node_cpu_seconds_total[3s])
irate(node_cpu_seconds_total[4s])
sum by (mode) (rate(node_cpu_seconds_total[4s]))
sum without (cpu) (increase(node_cpu_seconds_total[4s]))
avg_over_time(node_memory_MemFree_bytes[3s])
min_over_time(node_memory_MemFree_bytes[3s])
max_over_time(node_memory_MemFree_bytes[3s])
sum_over_time(node_load1[3s])
last_over_time({job="node"}[2s])
count_over_time(node_load1[3s])
stddev_over_time(node_memory_MemFree_bytes[4s])
quantile_over_time(0.5, node_memory_MemFree_bytes[4s])
last_over_time(scrape_duration_seconds[2s])
delta(node_memory_MemFree_bytes[4s])
changes(go_goroutines[4s])
node_memory_MemTotal_bytes - node_memory_MemFree_bytes
topk(3, node_cpu_seconds_total)
count by (__name__) ({__name__=~"node_.+"})
histogram_quantile(0.9, sum by (le) (node_nonesuch_bucket))
""".strip().splitlines()


def zstd_stored(data):
    """A zstd frame (RFC 8878) whose blocks are stored: 1 segment, content size in 8 bytes."""
    out = bytearray(b"\x28\xb5\x2f\xfd\xe0" + len(data).to_bytes(8, "little"))
    for at in range(0, len(data), 65536) or [0]:
        part = data[at:at + 65536]
        out += ((at + 65536 >= len(data)) | len(part) << 3).to_bytes(3, "little") + part
    return bytes(out)


class RemoteWrite(perilune.ServerCase):
    def setUp(self):
        super().setUp()
        self.exporter = peers.node_exporter()
        self.addCleanup(self.exporter.close)

    def arrived(self, expression, count=1):
        """Wait until an instant query has so many results."""
        def enough():
            found = self.client.query(expression)
            return found if len(found) >= count else None
        return perilune.wait_until(enough, f"{count} results of {expression}", 60)

    def test_what_prometheus_sends_is_what_it_has_itself(self):
        with peers.prometheus({"node": self.exporter.port},
                              f"{self.server.url}/api/v1/write") as prometheus:
            self.arrived("count_over_time(up[1m]) >= 5")
            until = round(time.time())
            perilune.wait_until(
                lambda: self.client.query(f"timestamp(up) >= {until + 1}"), "later samples", 60)
            metrics = ["up", "node_cpu_seconds_total", "node_memory_MemFree_bytes", "node_load1",
                       "go_gc_duration_seconds", "scrape_duration_seconds"]
            start = (until - 60) * 1000
            for metric in metrics:
                theirs = prometheus.client.raw(metric, start, until * 1000)
                ours = self.client.raw(metric, start, until * 1000)
                self.assertTrue(theirs, metric)
                self.assertEqual(set(ours), set(theirs), metric)
                # The first scrapes may be older than the connection of the sender.
                for labels, samples in theirs.items():
                    first = ours[labels][0][0]
                    self.assertEqual(ours[labels], [s for s in samples if s[0] >= first], labels)
            perilune.wait_until(lambda: self.client.api("/api/v1/metadata").get("node_load1"),
                                "metadata of node_load1", 60)
            described = self.client.api("/api/v1/metadata")["node_load1"][0]
            self.assertEqual(described["type"], "gauge")
            self.assertTrue(described["help"])
            perilune.wait_until(lambda: self.metadata_of(self.client) == self.metadata_of(
                prometheus.client), "the metadata are the same", 60)
        failed = [k for k, v in self.client.metrics().items() if "reject" in k and v]
        self.assertEqual(failed, [])

    @staticmethod
    def metadata_of(client):
        return {name: described for name, described in client.api("/api/v1/metadata").items()
                if name.startswith("node_")}

    def test_expressions_over_what_prometheus_sent_have_its_values(self):
        with peers.prometheus({"node": self.exporter.port},
                              f"{self.server.url}/api/v1/write") as prometheus:
            self.arrived("count_over_time(up[1m]) >= 4")
            (first, _), *_ = next(iter(self.client.raw(
                "up", 0, (round(time.time()) + 9) * 1000).values()))
            # Half a second beside the scrapes: no sample stands on the edge of a window, of which
            # Prometheus 2 and 3 think differently.
            start = first + 4500
            end = start + 10_000
            perilune.wait_until(lambda: self.client.query(f"timestamp(up) * 1000 > {end}"),
                                "15 scrapes", 60)
            for expression in EXPRESSIONS:
                ours, theirs = ({tuple(sorted(one["metric"].items())): one["values"] for one in
                                 client.query_range(expression, start / 1000, end / 1000, 1)}
                                for client in (self.client, prometheus.client))
                self.assertEqual(set(ours), set(theirs), expression)
                self.assertTrue(ours or "nonesuch" in expression, expression)
                for labels, wanted in theirs.items():
                    found = ours[labels]
                    self.assertEqual([t for t, _ in found], [t for t, _ in wanted],
                                     (expression, labels))
                    for (t, a), (_, b) in zip(found, wanted):
                        a, b = float(a), float(b)
                        self.assertTrue(
                            wire.bits(a) == wire.bits(b) or math.isclose(a, b, rel_tol=1e-9),
                            f"{expression} {labels} at {t}: {a!r}, not {b!r}")

    def test_bodies_of_newer_vmagents_are_zstd(self):
        at = round(time.time()) * 1000
        series = [({"__name__": "z", "i": str(i)}, [(at, i + 0.5)]) for i in range(3000)]
        reply = self.client.post("/api/v1/write", zstd_stored(wire.write_request(series)),
                                 "application/x-protobuf",
                                 {"Content-Encoding": "zstd",
                                  "X-VictoriaMetrics-Remote-Write-Version": "1"})
        self.assertEqual(reply.status, 204, reply)
        found = self.client.raw("z", at, at)
        self.assertEqual(found, {tuple(sorted(labels.items())): samples
                                 for labels, samples in series})

    def test_a_body_that_is_not_snappy_is_refused_by_that_name(self):
        for body in (b"x", b"", b"\xff" * 40):
            reply = self.client.post("/api/v1/write", body, "application/x-protobuf")
            self.assertEqual(reply.status, 400)
            self.assertIn("snappy", reply.json["error"])
        reply = self.client.post("/api/v1/write", b"x", headers={"Content-Encoding": "zstd"})
        self.assertEqual(reply.status, 400)
        self.assertIn("Content-Encoding", reply.json["error"])

    def test_vmagent_sends_all_series_of_a_scrape(self):
        text = self.exporter.client.get("/metrics").text
        cpus = [line for line in text.splitlines() if line.startswith("node_cpu_seconds_total{")]
        with peers.vmagent({"node": self.exporter.port}, f"{self.server.url}/api/v1/write"):
            self.arrived('up{job="node"} == 1')
            self.arrived("node_cpu_seconds_total", len(cpus))
            self.arrived("count_over_time(node_load1[1m]) >= 3")
        self.assertEqual(len(self.client.query("node_cpu_seconds_total")), len(cpus))

    def test_the_exporters_text_can_be_pushed_as_it_is(self):
        text = self.exporter.client.get("/metrics").text
        series = {line.rsplit(" ", 1)[0] for line in text.splitlines()
                  if line and not line.startswith("#")}
        self.client.push_text(text)
        counted = self.client.query('count({__name__=~".+"})')
        self.assertEqual(int(counted[0]["value"][1]), len(series))

    def test_our_own_metrics_please_promtool_and_prometheus(self):
        self.client.push_text("a_total 1\n")
        status, said = peers.promtool("check", "metrics",
                                      stdin=self.client.get("/metrics").body)
        self.assertEqual((status, said), (0, ""))
        with peers.prometheus({"perilune": self.server.port}) as prometheus:
            perilune.wait_until(lambda: prometheus.client.query('up{job="perilune"} == 1'),
                                "Prometheus has scraped us", 60)


if __name__ == "__main__":
    perilune.main()
