#!/usr/bin/env python3
# timeout: 240
"""The same samples in Prometheus 2.42 and here, the same requests to both: the same answers. Where
our words of an error differ, its status and its type are the same.

PromQL here is that of Prometheus 3. What it says otherwise than 2.42 is left out: a range begins
behind its left edge (so no sample stands on one), `.` matches a line feed, a duration may be a
number, label names may be any text, a counter that begins is not stretched below zero."""
import math
import time
import unittest
import urllib.parse

import peers
import perilune
import wire

STEP = 10_000
COUNT = 120
HOSTS = ("a", "b", "c")


def samples(now):
    """Counters with a reset, gauges with fractions and a gap, a histogram, a constant, stale ends:
    [(labels, [(ms, value)])] of the last 20 minutes."""
    start = now - COUNT * STEP + 53
    out = []
    for h, host in enumerate(HOSTS):
        for code in ("200", "500"):
            total, points = 1000.0, []
            for i in range(COUNT):
                total = 0.0 if i == 70 + h else total + (i * 7 + h) % 5 + (code == "500") * 0.5
                points.append((start + i * STEP + h * 137, total))
            out.append(({"__name__": "http_requests_total", "host": host, "code": code,
                         "job": "web"}, points))
        gauge = [(start + i * STEP + h * 137, round(20 + 5 * math.sin(i / 9 + h), 2))
                 for i in range(COUNT) if not 40 <= i < 75]
        out.append(({"__name__": "temperature", "host": host}, gauge))
        for le, share in (("0.1", 1), ("1", 3), ("+Inf", 4)):
            out.append(({"__name__": "latency_bucket", "host": host, "le": le},
                        [(start + i * STEP, float(share * (i + h) + 100)) for i in range(COUNT)]))
    out.append(({"__name__": "constant"}, [(start + i * STEP, 42.0) for i in range(COUNT)]))
    odd = [math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, 1e21, 0.1]
    out.append(({"__name__": "odd", "text": "ü \"\\\t"},
                [(start + i * STEP, odd[i % len(odd)]) for i in range(COUNT)]))
    return out


METADATA = [("http_requests_total", "counter", "Requests.", ""),
            ("temperature", "gauge", "Heat \"here\".", "celsius")]

EXPRESSIONS = """
http_requests_total
http_requests_total{host="a"}
http_requests_total{host!="a",code=~"2..|x"}
{__name__=~"temp.*|constant"}
temperature offset 5m
temperature @ end() - temperature @ start()
odd
rate(http_requests_total[1m])
rate(http_requests_total[5m])
increase(http_requests_total[2m30s])
irate(http_requests_total[1m])
delta(temperature[3m])
deriv(temperature[3m])
avg_over_time(temperature[2m])
min_over_time(temperature[2m])
max_over_time(temperature[2m])
sum_over_time(temperature[2m])
count_over_time(temperature[2m])
last_over_time(temperature[4m])
stddev_over_time(temperature[4m])
quantile_over_time(0.7, temperature[4m])
present_over_time(temperature[1m])
absent_over_time(temperature{host="a"}[1m])
changes(http_requests_total[3m])
resets(http_requests_total[10m])
sum by (host) (http_requests_total)
sum without (code, job) (rate(http_requests_total[1m]))
avg(temperature)
min by (host) (temperature)
max(temperature)
count(temperature)
stddev(temperature)
quantile(0.9, temperature)
topk(2, temperature)
count_values("v", constant)
histogram_quantile(0.9, sum by (le) (rate(latency_bucket[2m])))
http_requests_total{code="500"} / ignoring(code) http_requests_total{code="200"}
temperature * on(host) group_left(code) http_requests_total{code="200"}
temperature > bool 22
temperature > 22 and on(host) http_requests_total{code="200"} > 30
temperature unless on(host) temperature{host="a"}
constant ^ 2 % 5 + 1
-temperature
label_replace(temperature, "h", "$1", "host", "(.*)")
label_join(temperature, "both", "-", "host", "__name__")
clamp(temperature, 18, 22)
round(temperature, 0.5)
abs(ceil(floor(ln(exp(sqrt(temperature))))))
time()
scalar(constant)
vector(1)
timestamp(temperature)
hour(timestamp(temperature))
absent(nosuch{a="b"})
sort_desc(temperature)
max_over_time(rate(http_requests_total[1m])[5m:30s])
avg_over_time(temperature[5m:1m] offset 1m)
predict_linear(temperature[5m], 60)
holt_winters(temperature[5m], 0.5, 0.5)
nosuch
""".strip().splitlines()


def same_number(a, b):
    """Sums may be added in another order: the last few bits may differ."""
    x, y = (float(v.replace("Inf", "inf")) for v in (a, b))
    return a == b or (x != x and y != y) or math.isclose(x, y, rel_tol=1e-12, abs_tol=1e-12)


def by_metric(result):
    return {tuple(sorted(one["metric"].items())): one.get("values") or [one["value"]]
            for one in result}


class Answers(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        # 7 s behind a multiple of 15 s, so that no step of a subquery stands on its left edge.
        cls.now = (int(time.time()) // 15 * 15 - 8) * 1000
        cls.data = samples(cls.now)
        cls.server = perilune.Server()
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.kill)
        cls.prometheus = peers.prometheus({}, receiver=True)
        cls.addClassCleanup(cls.prometheus.close)
        for client in (cls.server.client, cls.prometheus.client):
            client.remote_write(cls.data, METADATA)

    def both(self, path, method="GET", **parameters):
        """(ours, theirs): Replies."""
        encoded = urllib.parse.urlencode(parameters, doseq=True)
        out = []
        for client in (self.server.client, self.prometheus.client):
            if method == "GET":
                out.append(client.get(f"{path}?{encoded}" if encoded else path))
            else:
                out.append(client.request(method, path, encoded, {
                    "Content-Type": "application/x-www-form-urlencoded"}))
        return out

    def compare_results(self, ours, theirs, expression):
        self.assertEqual(ours["resultType"], theirs["resultType"], expression)
        if ours["resultType"] in ("scalar", "string"):
            self.assertEqual(ours["result"], theirs["result"], expression)
            return
        ours, theirs = by_metric(ours["result"]), by_metric(theirs["result"])
        self.assertEqual(set(ours), set(theirs), expression)
        for labels, wanted in theirs.items():
            found = ours[labels]
            self.assertEqual([t for t, _ in found], [t for t, _ in wanted], (expression, labels))
            for (t, a), (_, b) in zip(found, wanted):
                self.assertTrue(same_number(a, b), f"{expression} {labels} at {t}: {a}, not {b}")

    def test_every_sample_is_the_same(self):
        for labels, points in self.data:
            name = labels["__name__"]
            query = f'{name}[30m]'
            ours, theirs = self.both("/api/v1/query", query=query, time=self.now / 1000)
            ours, theirs = (by_metric(r.json["data"]["result"]) for r in (ours, theirs))
            self.assertEqual(ours, theirs, name)
            found = ours[tuple(sorted(labels.items()))]
            self.assertEqual([round(t * 1000) for t, _ in found], [t for t, _ in points])
            self.assertEqual([wire.bits(float(v)) for _, v in found],
                             [wire.bits(v) for _, v in points])

    def test_expressions_over_a_range_have_the_same_values(self):
        for expression in EXPRESSIONS:
            for method, step in (("GET", "15s"), ("POST", "37.5")):
                ours, theirs = self.both("/api/v1/query_range", method, query=expression, step=step,
                                         start=(self.now - 1300_000) / 1000, end=self.now / 1000)
                self.assertEqual((ours.status, theirs.status), (200, 200),
                                 (expression, ours.text, theirs.text))
                self.compare_results(ours.json["data"], theirs.json["data"], expression)

    def test_expressions_at_one_time_have_the_same_values(self):
        for expression in EXPRESSIONS:
            for ago in (0, 333.25, 700):
                ours, theirs = self.both("/api/v1/query", query=expression,
                                         time=self.now / 1000 - ago)
                if "start()" in expression:
                    self.assertEqual(ours.status, theirs.status)
                    continue
                self.assertEqual((ours.status, theirs.status), (200, 200),
                                 (expression, ours.text, theirs.text))
                self.compare_results(ours.json["data"], theirs.json["data"], expression)

    def test_an_order_that_was_asked_for_is_kept(self):
        for expression in ("sort(temperature)", "sort_desc(temperature)", "topk(2, temperature)",
                           "bottomk(3, http_requests_total)"):
            ours, theirs = self.both("/api/v1/query", query=expression, time=self.now / 1000)
            self.assertEqual(ours.json["data"]["result"], theirs.json["data"]["result"])

    def test_series_labels_values_and_metadata_are_the_same(self):
        start, end = self.now / 1000 - 3600, self.now / 1000
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(start))
        zoned = time.strftime("%Y-%m-%dT%H:%M:%S.25+01:00", time.gmtime(end + 3600))
        for path, methods in (("/api/v1/series", "GET POST"), ("/api/v1/labels", "GET POST"),
                              ("/api/v1/label/host/values", "GET"),
                              ("/api/v1/label/__name__/values", "GET"),
                              ("/api/v1/label/nosuch/values", "GET")):
            for match in ([], ["temperature"], ['{host="a"}', "constant"],
                          ['{__name__=~".+",host!~"a|b"}'], ["nosuch"], ['odd{text=~"ü.*"}']):
                if not match and path.endswith("series"):
                    continue
                for times in ({}, {"start": start, "end": end}, {"start": stamp, "end": zoned},
                              {"start": stamp}):
                    for method in methods.split():
                        ours, theirs = self.both(path, method, **times, **{"match[]": match})
                        said = (path, match, times, method, ours.text, theirs.text)
                        self.assertEqual((ours.status, theirs.status), (200, 200), said)
                        key = repr if path.endswith("series") else str
                        ours, theirs = (sorted((r.json["data"]), key=lambda x: key(
                            sorted(x.items()) if isinstance(x, dict) else x))
                            for r in (ours, theirs))
                        self.assertEqual(ours, theirs, said)
        ours, theirs = self.both("/api/v1/label/host/values", start=0, end=1)
        self.assertEqual(ours.json["data"], theirs.json["data"] or [])

    def test_bad_requests_fail_alike(self):
        end = self.now / 1000
        span = {"start": end - 60, "end": end, "step": 15}
        query, ranged, series = "/api/v1/query", "/api/v1/query_range", "/api/v1/series"
        requests = [
            (query, {}), (query, {"query": ""}), (query, {"query": "up{"}),
            (query, {"query": "up", "time": "abc"}), (query, {"query": "up", "timeout": "x"}),
            (query, {"query": "up", "time": ""}),
            (query, {"query": "up", "time": "2020-13-01T00:00:00Z"}),
            (query, {"query": "up", "time": "2020-02-31T00:00:00Z"}),
            (query, {"query": "up", "time": "2020-02-28T24:00:00Z"}),
            (query, {"query": "up", "time": "2020-02-28T23:00:00"}),
            (query, {"query": "up", "time": "-1"}), (query, {"query": "up", "timeout": "1e99"}),
            (query, {"query": "nosuch(up)"}), (query, {"query": "sum(1, 2)"}),
            (query, {"query": "{}"}), (query, {"query": '{a=""}'}), (query, {"query": "up[5m"}),
            (query, {"query": '{a=~"("}'}),
            (query, {"query": "rate(up)"}), (query, {"query": "1 and 2"}),
            (query, {"query": "\xff".encode("latin-1")}), (query, {"query": '"\\x"'}),
            (query, {"query": "http_requests_total * on(job) temperature"}),
            (query, {"query": "http_requests_total * on(host) http_requests_total"}),
            (query, {"query": 'label_replace(constant, "a", "$1", "a", "(")'}),
            (query, {"query": "topk(scalar(odd), temperature)"}),
            (ranged, {}), (ranged, {"query": "up"}), (ranged, {"query": "up", "start": 0}),
            (ranged, {"query": "up", "start": 0, "end": 1}),
            (ranged, {"query": "up", "start": 1, "end": 0, "step": 1}),
            (ranged, {**span, "query": "up", "step": 0}),
            (ranged, {**span, "query": "up", "step": -1}),
            (ranged, {**span, "query": "up", "step": "x"}),
            (ranged, {**span, "query": "up", "step": "1e99"}),
            (ranged, {**span, "query": "up", "step": "5"}),
            (ranged, {**span, "query": "up[5m]"}), (ranged, {**span, "query": '"text"'}),
            (ranged, {**span, "query": "sum("}), (ranged, {**span, "query": ""}),
            (ranged, {"query": "up", "start": 0, "end": 11000, "step": 1}),
            (ranged, {"query": "up", "start": 0, "end": 11001, "step": 1}),
            (series, {}), (series, {"match[]": "{}"}), (series, {"match[]": "sum(up)"}),
            (series, {"match[]": "up{"}), (series, {"match[]": ["up", '{a=""}']}),
            (series, {"match[]": "up", "start": "x"}), (series, {"match[]": "up", "end": "x"}),
            (series, {"match[]": "up[5m]"}), (series, {"match[]": "up offset 5m"}),
            ("/api/v1/labels", {"match[]": "{}"}), ("/api/v1/labels", {"match[]": "a b"}),
            ("/api/v1/labels", {"start": "x"}), ("/api/v1/labels", {"end": "x"}),
            ("/api/v1/label/job/values", {"match[]": "{}"}),
            ("/api/v1/label/job/values", {"start": "x"}),
            ("/api/v1/metadata", {"limit": "x"}),
            ("/api/v1/format_query", {}), ("/api/v1/format_query", {"query": "sum("}),
        ]
        wrong = []
        for path, parameters in requests:
            for method in ("GET", "POST"):
                if method == "POST" and ("/label/" in path or "metadata" in path):
                    continue
                ours, theirs = self.both(path, method, **parameters)
                a, b = ((r.status, r.json["status"], r.json.get("errorType"),
                         r.headers["Content-Type"]) for r in (ours, theirs))
                if a != b or ("error" in theirs.json) != ("error" in ours.json):
                    wrong.append(f"{method} {path} {parameters}\n  {ours.text}\n  {theirs.text}")
        self.assertEqual(wrong, [], "\n".join(wrong))

    def test_methods_are_allowed_alike(self):
        for method, path in (("DELETE", "/api/v1/query"), ("POST", "/api/v1/label/job/values"),
                             ("PUT", "/api/v1/series"), ("POST", "/api/v1/metadata")):
            ours, theirs = self.both(path, method)
            self.assertEqual((method, path, ours.status), (method, path, theirs.status))
        ours, theirs = self.both("/api/v1/query", "OPTIONS")
        self.assertEqual(ours.status, theirs.status)

    def shape(self, x):
        if isinstance(x, dict):
            return {k: self.shape(v) for k, v in x.items()}
        if isinstance(x, list):
            return [self.shape(v) for v in x[:1]]
        return type(x).__name__

    def test_what_grafana_asks_is_answered_in_the_same_shape(self):
        for path in ("/api/v1/rules", "/api/v1/alerts", "/api/v1/status/buildinfo"):
            ours, theirs = self.both(path)
            self.assertEqual((path, ours.status), (path, theirs.status))
            ours, theirs = self.shape(ours.json), self.shape(theirs.json)
            ours["data"].pop("application", None)
            self.assertEqual(ours, theirs, path)
        for path in ("/api/v1/rules?type=alert", "/api/v1/targets", "/api/v1/targets?state=active"):
            ours, theirs = self.both(path)
            self.assertEqual({**ours.json, "data": {k: v for k, v in ours.json["data"].items()
                                                    if k != "droppedTargetCounts"}},
                             theirs.json, path)
        form = {"query": "rate(http_requests_total[1m])", "start": self.now / 1000 - 600,
                "end": self.now / 1000, "step": "15"}
        ours, theirs = self.both("/api/v1/query_range", "POST", **form)
        self.assertEqual(self.shape(ours.json), self.shape(theirs.json))
        ours, theirs = self.both("/api/v1/query", "POST", query="1+1", time=self.now / 1000)
        self.assertEqual(ours.json, theirs.json)

    def test_a_limit_that_cuts_is_said(self):
        match = {"match[]": "http_requests_total"}
        for path in ("/api/v1/series", "/api/v1/labels", "/api/v1/label/host/values"):
            cut = self.server.client.get(path, **match, limit=2).json
            self.assertEqual(len(cut["data"]), 2, path)
            self.assertEqual(cut["warnings"], ["results truncated due to limit"], path)
            whole = self.server.client.get(path, **match, limit=100).json
            self.assertGreater(len(whole["data"]), 2)
            self.assertNotIn("warnings", whole)
            exact = self.server.client.get(path, **match, limit=len(whole["data"])).json
            self.assertEqual(exact, whole)
            self.assertEqual(self.server.client.get(path, **match, limit=0).json, whole)
            self.assertEqual(self.server.client.get(path, **match, limit=-1).status, 400)
        for expression, n in (("http_requests_total", 4), ("temperature[5m]", 2)):
            cut = self.server.client.get("/api/v1/query", query=expression, limit=n,
                                         time=self.now / 1000).json
            self.assertEqual(len(cut["data"]["result"]), n)
            self.assertEqual(cut["warnings"], ["results truncated due to limit"])

    def test_metadata_came_with_the_samples(self):
        found = self.server.client.api("/api/v1/metadata")
        self.assertEqual(found, {name: [{"type": kind, "help": text, "unit": unit}]
                                 for name, kind, text, unit in METADATA})
        self.assertEqual(self.server.client.api("/api/v1/metadata", limit=1).keys(),
                         {"http_requests_total"})
        self.assertEqual(list(self.server.client.api("/api/v1/metadata", metric="temperature")),
                         ["temperature"])

    def test_promtool_asks_us_as_it_asks_prometheus(self):
        for arguments in (("instant", "sum by (host) (http_requests_total)"),
                          ("instant", "http_requests_total[1m]"), ("instant", "1"),
                          ("instant", "sum("),
                          ("range", "rate(http_requests_total[1m])"),
                          ("series", "temperature"), ("labels", "host")):
            said = []
            for port in (self.server.port, self.prometheus.port):
                at, span = f"--time={self.now // 1000}", ["--start", str(self.now // 1000 - 600),
                                                          "--end", str(self.now // 1000)]
                options = {"instant": [at], "range": [*span, "--step=15s"],
                           "labels": [], "series": span}[arguments[0]]
                expression = (["--match", arguments[1]] if arguments[0] == "series"
                              else [arguments[1]])
                url = f"http://127.0.0.1:{port}"
                server = [url]
                status, text = peers.promtool("query", arguments[0], *options, *server, *expression)
                said.append((status, sorted(text.splitlines()) if status == 0 else None))
            self.assertEqual(said[0], said[1], arguments)


if __name__ == "__main__":
    perilune.main()
