#!/usr/bin/env python3
# timeout: 120
"""Extensions of PromQL against the VictoriaMetrics whose users know them: the same samples in both,
the same expressions, the same values. Metric names are not compared (docs/promql.md says when they
stay here), nor what looks at samples before a window, which it does and PromQL does not; what an
older one does not know yet is passed over."""
import math
import time
import unittest
import urllib.parse

import peers
import perilune

STEP = 15
COUNT = 120

EXPRESSIONS = """
median(gauge)
median by (dc) (gauge)
mode(few)
geomean by (dc) (gauge)
sum2(gauge)
distinct(few)
share(gauge)
zscore by (dc) (gauge)
outliersk(2, gauge)
topk_avg(2, gauge)
topk_max(1, gauge) by (dc)
topk_last(2, gauge)
bottomk_min(2, gauge)
bottomk_median(2, gauge)
median_over_time(gauge[5m])
geomean_over_time(gauge[5m])
distinct_over_time(few[5m])
range_over_time(gauge[5m])
zscore_over_time(gauge[5m])
sum2_over_time(gauge[5m])
share_gt_over_time(gauge[5m], 20)
share_le_over_time(gauge[5m], 20)
count_gt_over_time(few[5m], 1)
count_le_over_time(few[5m], 1)
count_eq_over_time(few[5m], 1)
count_ne_over_time(few[5m], 1)
sum_gt_over_time(gauge[5m], 20)
rate_over_sum(gauge[5m])
lag(gauge[5m])
tmin_over_time(gauge[5m])
tmax_over_time(gauge[5m])
tfirst_over_time(gauge[5m])
tlast_over_time(gauge[5m])
range_avg(gauge)
range_sum(gauge)
range_min(gauge)
range_max(gauge)
range_first(gauge)
range_last(gauge)
range_median(gauge)
range_quantile(0.3, gauge)
range_stddev(gauge)
range_stdvar(gauge)
range_mad(gauge)
range_normalize(gauge)
range_zscore(gauge)
range_linear_regression(gauge)
range_trim_zscore(1, gauge)
range_trim_outliers(1, gauge)
running_sum(gauge)
running_avg(gauge)
running_min(gauge)
running_max(gauge)
remove_resets(total)
keep_last_value(gauge > 22)
keep_next_value(gauge > 22)
label_set(gauge, "dc", "", "new", "x")
label_del(gauge, "nothing")
label_keep(gauge, "host")
label_copy(gauge, "host", "copy")
label_move(gauge, "host", "moved")
label_uppercase(gauge, "host")
label_lowercase(label_uppercase(gauge, "host"), "host")
label_match(gauge, "host", "h[12]")
label_mismatch(gauge, "host", "h[12]")
label_value(gauge, "number")
alias(gauge{host="h1"}, "other")
union(gauge{host="h1"}, few{host="h2"})
gauge > 22 default 0
gauge{dc="east"} default gauge
nothing default 3
gauge if few > 1
gauge ifnot few > 1
gauge if (few > 1) default -1
WITH (east = {dc="east"}, r(m) = sum_over_time(m[5m])) sum(r(total{east})) / sum(r(total))
WITH (a = gauge + few, b = a * 2) b - a
""".strip().splitlines()


def lines(end):
    """Exposition text: gauges, few different values, counters with resets; every 15 s."""
    out = []
    for i in range(COUNT):
        ms = (end - (COUNT - 1 - i) * STEP) * 1000
        for h in range(5):
            labels = f'host="h{h}",dc="{("east", "west")[h % 2]}",number="{h * 1.5}"'
            out.append(f"gauge{{{labels}}} {round(20 + 5 * math.sin(i / 9 + h) + h, 3)} {ms}")
            out.append(f"few{{{labels}}} {(i * (h + 3)) // 7 % 4} {ms}")
            out.append(f"total{{{labels}}} {(i * (h + 1)) % 150 * 10} {ms}")
    return "\n".join(out) + "\n"


def by_labels(result):
    out = {}
    for one in result:
        labels = tuple(sorted((k, v) for k, v in one["metric"].items() if k != "__name__"))
        points = one.get("values") or [one["value"]]
        out[labels] = {float(t): float(v.replace("Inf", "inf")) for t, v in points}
    return out


class Extensions(unittest.TestCase):
    maxDiff = 4000

    @classmethod
    def setUpClass(cls):
        cls.end = int(time.time()) // STEP * STEP - STEP
        cls.server = perilune.Server()
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.kill)
        cls.peer = peers.Peer("victoria-metrics", lambda p: [
            f"-storageDataPath={p.directory}/data", f"-httpListenAddr=127.0.0.1:{p.port}",
            "-search.latencyOffset=0s"], "/health")
        cls.addClassCleanup(cls.peer.close)
        for client in (cls.server.client, cls.peer.client):
            reply = client.request("POST", "/api/v1/import/prometheus", lines(cls.end))
            assert reply.status in (200, 204), reply.text
        assert cls.peer.client.get("/internal/force_flush").status == 200

    def ask(self, client, expression, minutes):
        parameters = urllib.parse.urlencode({
            "query": expression, "start": self.end - 60 * minutes, "end": self.end, "step": STEP,
            "nocache": 1})
        reply = client.get(f"/api/v1/query_range?{parameters}")
        if client is self.peer.client and "unknown func" in reply.text:
            return None
        self.assertEqual(reply.status, 200, (expression, reply.text))
        return by_labels(reply.json["data"]["result"])

    def test_expressions_have_the_same_values(self):
        compared = 0
        for expression in EXPRESSIONS:
            with self.subTest(expression):
                ours = self.ask(self.server.client, expression, 15)
                theirs = self.ask(self.peer.client, expression, 15)
                if theirs is None:
                    continue
                compared += 1
                self.assertTrue(theirs, "nothing to compare")
                self.assertEqual(sorted(ours), sorted(theirs))
                for labels, points in theirs.items():
                    self.assertEqual(sorted(ours[labels]), sorted(points), labels)
                    for t, wanted in points.items():
                        found = ours[labels][t]
                        self.assertTrue(math.isclose(found, wanted, rel_tol=1e-9, abs_tol=1e-9),
                                        f"{labels} at {t}: {found}, not {wanted}")
        self.assertGreaterEqual(compared, 60)


if __name__ == "__main__":
    unittest.main()
