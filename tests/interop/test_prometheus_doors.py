#!/usr/bin/env python3
# timeout: 240
"""What Prometheus 2.42 has beside queries, asked of both: exemplars, federation, remote read, status
pages, promtool. The same data is in both, so the answers are the same."""
import time
import unittest
import urllib.parse

import peers
import perilune

STEP = 15_000


def series(now):
    """[(labels, samples, exemplars)] of the last ten minutes; one that has ended with a marker."""
    out = []
    for i, host in enumerate("ab"):
        points = [(now - 600_000 + k * STEP + i, float(k * (i + 1))) for k in range(41)]
        exemplars = [({"trace_id": f"{host}{k}", "span": "x y"}, points[k][0], k + 0.25)
                     for k in (3, 17, 40)]
        out.append(({"__name__": "requests_total", "host": host}, points, exemplars))
    out.append(({"__name__": "ended", "text": 'a "b" \\ \n'},
                [(now - 600_000 + k * STEP, 1.5e9 * k) for k in range(41)], []))
    out.append(({"__name__": "old"}, [(now - 500_000, 1.0)], []))
    return out


class Doors(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.now = int(time.time()) // 15 * 15_000
        cls.data = series(cls.now)
        cls.server = perilune.Server()
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.kill)
        cls.prometheus = peers.prometheus(
            {}, receiver=True, config="storage: {exemplars: {max_exemplars: 1000}}\n",
            flags=["--enable-feature=exemplar-storage", "--web.enable-admin-api"])
        cls.addClassCleanup(cls.prometheus.close)
        for client in (cls.server.client, cls.prometheus.client):
            client.remote_write(cls.data, [("requests_total", "counter", "Requests.", "")])

    def both(self, path, method="GET", headers=None, body=None, **parameters):
        encoded = urllib.parse.urlencode(parameters, doseq=True)
        return [client.request(method, f"{path}?{encoded}" if encoded else path, body, headers)
                for client in (self.server.client, self.prometheus.client)]

    def same(self, path, **parameters):
        ours, theirs = self.both(path, **parameters)
        self.assertEqual((ours.status, ours.text and ours.json), (theirs.status, theirs.text and theirs.json),
                         (path, parameters))
        return ours

    def test_exemplars_are_the_same(self):
        start, end = self.now / 1000 - 700, self.now / 1000 + 1
        for query in ("requests_total", 'rate(requests_total{host="b"}[5m])', "ended", "nosuch",
                      'requests_total{host="a"} / ignoring(host) requests_total{host="b"}'):
            self.same("/api/v1/query_exemplars", query=query, start=start, end=end)
        found = self.same("/api/v1/query_exemplars", query="requests_total", start=start,
                          end=end).json["data"]
        self.assertEqual([len(one["exemplars"]) for one in found], [3, 3])
        middle = self.now / 1000 - 400
        self.same("/api/v1/query_exemplars", query="requests_total", start=middle, end=end)
        self.same("/api/v1/query_exemplars", query="1", start=start, end=end)
        for bad in ({"query": "sum("}, {"query": "a", "start": "x"}, {},
                    {"query": "a", "start": 2, "end": 1}):
            ours, theirs = self.both("/api/v1/query_exemplars", **bad)
            self.assertEqual((ours.status, ours.json["errorType"]),
                             (theirs.status, theirs.json["errorType"]), bad)


if __name__ == "__main__":
    unittest.main(verbosity=2)
