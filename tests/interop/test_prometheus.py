#!/usr/bin/env python3
# timeout: 240
"""Prometheus 2.42, vmagent and node_exporter as they are: what they send is what we have."""
import time

import peers
import perilune


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
        failed = [k for k, v in self.client.metrics().items() if "reject" in k and v]
        self.assertEqual(failed, [])

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
