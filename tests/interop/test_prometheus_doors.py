#!/usr/bin/env python3
# timeout: 240
"""What Prometheus 2.42 has beside queries, asked of both: exemplars, federation, remote read, status
pages, promtool. The same data is in both, so the answers are the same."""
import time
import unittest
import urllib.parse

import peers
import perilune
import wire

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

    def test_federation_is_the_same_text(self):
        for match in (["requests_total"], ['{__name__=~".+"}'], ["ended", 'requests_total{host="b"}'],
                      ["nosuch"], []):
            ours, theirs = self.both("/federate", **{"match[]": match})
            self.assertEqual((ours.status, sorted(ours.text.splitlines())),
                             (theirs.status, sorted(theirs.text.splitlines())), match)
            self.assertEqual(ours.headers["Content-Type"], theirs.headers["Content-Type"])
        self.assertIn("requests_total", self.both("/federate", **{"match[]": "requests_total"})[0].text)
        ours, theirs = self.both("/federate", **{"match[]": "{"})
        self.assertEqual(ours.status, theirs.status)

    def shape(self, x):
        if isinstance(x, dict):
            return {k: self.shape(v) for k, v in x.items()}
        if isinstance(x, list):
            return [self.shape(v) for v in x[:1]]
        return type(x).__name__

    def test_status_pages_have_every_field_of_prometheus(self):
        def missing(ours, theirs, path):
            if isinstance(theirs, dict) and isinstance(ours, dict):
                return [line for k, v in theirs.items()
                        for line in (missing(ours[k], v, f"{path}.{k}") if k in ours
                                     else [f"{path}.{k}"])]
            if isinstance(theirs, list):
                return missing(ours[0], theirs[0], path) if ours and theirs else []
            return [] if ours == theirs else [f"{path}: {ours}, not {theirs}"]
        for path in ("runtimeinfo", "buildinfo", "tsdb", "walreplay", "config", "tsdb?limit=1"):
            ours, theirs = self.both(f"/api/v1/status/{path}")
            self.assertEqual((ours.status, theirs.status), (200, 200), path)
            self.assertEqual(missing(self.shape(ours.json), self.shape(theirs.json), path), [])
        for values in self.both("/api/v1/status/flags"):
            self.assertEqual({type(v) for v in values.json["data"].values()}, {str})
        for limit in ("0", "-1", "x"):
            ours, theirs = self.both("/api/v1/status/tsdb", limit=limit)
            self.assertEqual((ours.status, ours.json["errorType"]), (400, "bad_data"))
        ours, theirs = (r.json["data"] for r in self.both("/api/v1/status/tsdb"))
        for key in ("seriesCountByMetricName", "labelValueCountByLabelName",
                    "memoryInBytesByLabelName", "seriesCountByLabelValuePair"):
            self.assertEqual(sorted((x["name"], x["value"]) for x in ours[key]),
                             sorted((x["name"], x["value"]) for x in theirs[key]), key)
        for key in ("numSeries", "numLabelPairs", "minTime", "maxTime"):
            self.assertEqual(ours["headStats"][key], theirs["headStats"][key], key)

    def test_what_there_is_none_of_has_the_shape_of_prometheus(self):
        for path in ("/api/v1/alertmanagers", "/api/v1/alerts", "/api/v1/rules",
                     "/api/v1/rules?type=record", "/api/v1/targets/metadata"):
            ours, theirs = self.both(path)
            self.assertEqual((ours.status, ours.json), (theirs.status, theirs.json), path)
        ours, theirs = self.both("/api/v1/rules", type="x")
        self.assertEqual((ours.status, ours.json["errorType"]),
                         (theirs.status, theirs.json["errorType"]))
        for path in ("/-/reload", "/-/quit"):
            for method in ("GET", "POST", "PUT"):
                ours, theirs = self.both(path, method)
                self.assertEqual(ours.status, theirs.status, (method, path))
        for path in ("/-/healthy", "/-/ready"):
            ours, theirs = self.both(path)
            self.assertEqual((ours.status, ours.text.split(" ", 1)[1]),
                             (theirs.status, theirs.text.split(" ", 1)[1]))

    def test_a_browser_is_told_the_same_of_origins(self):
        for method in ("GET", "OPTIONS"):
            for origin in ({}, {"Origin": "http://x"}):
                ours, theirs = self.both("/api/v1/query?query=1", method, headers=origin)
                self.assertEqual(ours.status, theirs.status)
                for header in ("Access-Control-Allow-Origin", "Access-Control-Expose-Headers"):
                    self.assertEqual(ours.headers[header], theirs.headers[header],
                                     (method, origin, header))

    def test_a_snapshot_is_a_directory_to_start_from(self):
        ours, theirs = self.both("/api/v1/admin/tsdb/snapshot", "POST")
        self.assertEqual((ours.status, set(ours.json["data"])), (theirs.status, {"name"}))
        name = ours.json["data"]["name"]
        self.assertRegex(name, r"^\d{8}T\d{6}Z-[0-9a-f]{16}$")
        copy = perilune.Server(data=f"{self.server.data}/snapshots/{name}")
        try:
            found = copy.client.query("count(requests_total offset 1s)", self.now / 1000)
            self.assertEqual(found[0]["value"][1], "2")
        finally:
            copy.kill()
            copy.remove()
        ours, theirs = self.both("/api/v1/admin/tsdb/snapshot", "PUT", skip_head="x")
        self.assertEqual((ours.status, ours.json["errorType"]),
                         (theirs.status, theirs.json["errorType"]))

    def test_promtool_asks_us(self):
        where = self.server.url
        t = str(self.now // 1000)
        code, said = peers.promtool("query", "instant", where, "requests_total", f"--time={t}")
        self.assertEqual((code, said.count("requests_total{")), (0, 2), said)
        code, said = peers.promtool("query", "range", where, "requests_total", f"--end={t}",
                                    f"--start={int(t) - 60}", "--step=15s")
        self.assertEqual((code, said.count("@")), (0, 10), said)
        code, said = peers.promtool("query", "series", where, "--match=requests_total",
                                    f"--start={int(t) - 60}", f"--end={t}")
        self.assertEqual((code, said.count("requests_total")), (0, 2), said)
        code, said = peers.promtool("query", "labels", where, "host")
        self.assertEqual((code, said.split()), (0, ["a", "b"]), said)

    def read_request(self, matchers, start, end, accepted=(), hints=b""):
        """A ReadRequest; matchers [(type, name, value)]."""
        query = b"\x08" + wire.varint(start) + b"\x10" + wire.varint(end)
        for kind, name, value in matchers:
            query += wire.field(3, b"\x08" + wire.varint(kind) + wire.text(2, name)
                                + wire.text(3, value))
        if hints:
            query += wire.field(4, hints)
        out = wire.field(1, query)
        if accepted:
            out += wire.field(2, bytes(accepted))
        return wire.snappy(out)

    def test_samples_of_remote_read_are_the_same(self):
        every = [(2, "__name__", ".+")]
        for matchers, start, end, hints in (
                (every, 0, self.now + 1, b""),
                ([(0, "__name__", "requests_total"), (1, "host", "a")], self.now - 60_000, self.now,
                 b""),
                ([(0, "__name__", "requests_total")], 0, self.now + 1, b"\x18" + wire.varint(self.now - 30_000) + b"\x20"
                 + wire.varint(self.now - 10_000)),
                ([(0, "__name__", "nosuch")], 0, self.now, b"")):
            body = self.read_request(matchers, start, end, hints=hints)
            ours, theirs = self.both("/api/v1/read", "POST", body=body, headers={
                "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy"})
            self.assertEqual((ours.status, theirs.status), (200, 200))
            for header in ("Content-Type", "Content-Encoding"):
                self.assertEqual(ours.headers[header], theirs.headers[header])
            self.assertEqual(unsnappy(ours.body), unsnappy(theirs.body), (matchers, hints))
        for body in (b"junk", wire.snappy(b"\x0a\xff")):
            ours, theirs = self.both("/api/v1/read", "POST", body=body)
            self.assertEqual((ours.status, theirs.status), (400, 400), body)
        bad = self.read_request([(2, "a", "(")], 0, 1) # a fault of the client; 500 in 2.42
        self.assertEqual(self.server.client.post("/api/v1/read", bad).status, 400)

    def test_streamed_chunks_are_frames_with_a_sum(self):
        body = self.read_request([(0, "__name__", "requests_total")], 0, self.now + 1, (1,))
        frames = []
        for reply in self.both("/api/v1/read", "POST", body=body):
            self.assertEqual(reply.headers["Content-Type"],
                             "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse")
            rest, found = reply.body, []
            while rest:
                n, used = varint_of(rest)
                data = rest[used + 4:used + 4 + n]
                self.assertEqual(int.from_bytes(rest[used:used + 4], "big"), crc32c(data))
                found.append(data)
                rest = rest[used + 4 + n:]
            frames.append(found)
        self.assertEqual(frames[0], frames[1]) # one chunk of 41 samples each: byte by byte

    def test_prometheus_reads_from_us(self):
        config = (f"remote_read:\n- url: {self.server.url}/api/v1/read\n  read_recent: true\n")
        with peers.prometheus({}, config=config) as reader:
            for labels, points, _ in self.data:
                name = labels["__name__"]
                found = reader.client.raw(name, self.now - 700_000, self.now + 1000)
                self.assertEqual(found[tuple(sorted(labels.items()))], points)
            t = self.now / 1000
            for query in ("sum(rate(requests_total[5m]))", "requests_total offset 1m", "ended"):
                self.assertEqual(reader.client.query(query, t), self.server.client.query(query, t))


def varint_of(data):
    value = shift = 0
    for used, byte in enumerate(data, 1):
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, used
    raise AssertionError("a varint ends early")


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def unsnappy(data):
    """The block format."""
    size, at = varint_of(data)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        if tag & 3 == 0:
            n = tag >> 2
            if n >= 60:
                more = n - 59
                n = int.from_bytes(data[at:at + more], "little")
                at += more
            out += data[at:at + n + 1]
            at += n + 1
            continue
        if tag & 3 == 1:
            n, offset = (tag >> 2 & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            wide = 2 if tag & 3 == 2 else 4
            n, offset = (tag >> 2) + 1, int.from_bytes(data[at:at + wide], "little")
            at += wide
        for _ in range(n):
            out.append(out[-offset])
    assert len(out) == size
    return bytes(out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
