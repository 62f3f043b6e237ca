#!/usr/bin/env python3
# quick
"""Native histograms: from remote write to disk, over kill, flush, merge and restart, out by export and
back in by push."""
import json
import struct
import urllib.parse

import perilune
import wire

NOW = 1_700_000_000_000
STALE = struct.unpack("<d", struct.pack("<Q", 0x7FF0000000000002))[0]


def whole(i):
    """A histogram as it grows: both signs, a zero bucket, now and then one bucket more."""
    positive = [i, 2 * i, 0, 3 * i] + ([i] if i >= 40 else [])
    negative = [i // 2]
    return {"schema": 3, "count": sum(positive) + sum(negative) + 1, "sum": 1.5 * i,
            "zero_threshold": 2.0 ** -128, "zero_count": 1,
            "positive_spans": [[-3, 2], [5, len(positive) - 2]], "positive": positive,
            "negative_spans": [[0, 1]], "negative": negative, "reset": "no"}


def floats(i):
    return {"schema": 0, "count": 2.5 * i, "sum": -0.25 * i, "positive_spans": [[1, 2]],
            "positive": [0.5 * i, 2 * i], "reset": "gauge", "floats": True}


def custom(i):
    return {"schema": -53, "count": 3 * i, "sum": i, "positive_spans": [[0, 1], [1, 1]],
            "positive": [i, 2 * i], "bounds": [0.25, 10]}


class Histograms(perilune.ServerCase):
    ARGS = ("--retention", "0", "--tenants-auto")

    def export(self, selector):
        """{labels: [(ms, value), ...]}; values as JSON has them."""
        reply = self.client.expect("export", self.client.get(
            "/api/v1/export?" + urllib.parse.urlencode({"match[]": selector})))
        found = {}
        for line in reply.text.splitlines():
            one = json.loads(line)
            self.assertNotIn("error", one)
            samples = found.setdefault(tuple(sorted(one["labels"].items())), [])
            samples += zip(one["t"], one["v"])
        return found, reply.text

    def write(self):
        """All kinds, and one series of several."""
        series, want = [], {}
        for name, make in (("whole", whole), ("floats", floats), ("custom", custom)):
            samples = [(NOW + 15000 * i, make(i)) for i in range(1, 80)]
            series.append(({"__name__": name, "job": "a"}, samples))
        mixed = [(NOW + 15000 * i, (whole(i), float(i), custom(i), STALE)[i % 4])
                 for i in range(1, 80)]
        mixed.sort(key=lambda s: isinstance(s[1], dict))  # as senders do: samples, then histograms
        series.append(({"__name__": "mixed", "job": "a"}, mixed))
        self.client.remote_write(series)
        for labels, samples in series:
            want[tuple(sorted(labels.items()))] = [
                (ms, "stale" if isinstance(v, float) and v != v else v) for ms, v in sorted(
                    samples, key=lambda s: s[0])]
        return want

    def agree(self, want):
        found, _ = self.export('{job="a"}')
        self.assertEqual(set(found), set(want))
        for labels, samples in want.items():
            self.assertEqual(found[labels], samples)

    def test_they_survive_a_kill_a_flush_a_merge_and_a_restart(self):
        want = self.write()
        self.agree(want)
        self.server.kill()
        self.server.start()
        self.agree(want)
        self.client.expect("flush", self.client.post("/api/v1/admin/flush", ""))
        self.agree(want)
        late = [(NOW + 15000 * i + 7, whole(i)) for i in range(20, 30)]
        again = [(NOW + 15000 * i, floats(i)) for i in range(30, 40)]
        self.client.remote_write([({"__name__": "whole", "job": "a"}, late + again)])
        key = (("__name__", "whole"), ("job", "a"))
        want[key] = sorted({**dict(want[key]), **dict(late), **dict(again)}.items())
        self.agree(want)
        self.client.expect("compact", self.client.post("/api/v1/admin/compact", ""))
        self.agree(want)
        self.server.stop()
        self.server.start()
        self.agree(want)

    def test_an_export_is_taken_back(self):
        want = self.write()
        _, text = self.export('{job="a"}')
        other = self.server.new_client(tenant="other")
        self.addCleanup(other.close)
        self.client.expect("push", other.post("/api/v1/push", text, "application/x-ndjson"))
        self.client = other
        self.agree(want)

    def test_an_unsound_one_is_refused_alone_with_its_reason(self):
        bad = dict(whole(5), count=1)
        body = wire.snappy(wire.write_request([
            ({"__name__": "good"}, [(NOW, whole(1))]),
            ({"__name__": "bad"}, [(NOW, bad), (NOW + 1, whole(2))])]))
        reply = self.client.post("/api/v1/write", body, "application/x-protobuf",
                                 {"Content-Encoding": "snappy"})
        self.assertEqual(reply.status, 400)
        self.assertIn("series 1", reply.text)
        self.assertIn("not that of the buckets", reply.text)
        found, _ = self.export('{__name__=~"good|bad"}')
        self.assertEqual(found, {(("__name__", "good"),): [(NOW, whole(1))],
                                 (("__name__", "bad"),): [(NOW + 1, whole(2))]})

    def test_a_double_that_looks_like_a_reference_stays_a_nan(self):
        odd = struct.unpack("<d", struct.pack("<Q", 0x7FF6000000000000))[0]
        self.client.remote_write([({"__name__": "odd"}, [(NOW, odd), (NOW + 1, 2.0)]),
                                  ({"__name__": "whole"}, [(NOW, whole(3))])])
        found, _ = self.export('{__name__=~"odd|whole"}')
        self.assertEqual(found[(("__name__", "odd"),)], [(NOW, "NaN"), (NOW + 1, 2)])
        self.assertEqual(found[(("__name__", "whole"),)], [(NOW, whole(3))])


if __name__ == "__main__":
    perilune.main()
