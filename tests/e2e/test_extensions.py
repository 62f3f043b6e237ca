#!/usr/bin/env python3
# quick
"""Extensions of PromQL over HTTP: strict mode by request and by setting, explain, statistics."""
import perilune


class Extensions(perilune.unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = perilune.Server("--retention", "0")
        cls.addClassCleanup(cls.server.remove)
        cls.addClassCleanup(cls.server.kill)
        cls.client = cls.server.client
        lines = "".join(f'm{{h="{h}"}} {i} {(1700000000 + i * 10) * 1000}\n'
                        for h in range(3) for i in range(60))
        cls.client.push_text(lines)

    def get(self, path):
        return self.client.get(path)

    def test_strict_by_request_refuses_what_is_an_extension(self):
        for path in ("query?time=1700000500", "query_range?start=1700000000&end=1700000500&step=10",
                     "explain?time=1700000500"):
            fine = self.get(f"/api/v1/{path}&query=median(m)")
            self.assertEqual(fine.status, 200, fine.text)
            refused = self.get(f"/api/v1/{path}&query=median(m)&strict=1")
            self.assertEqual(refused.status, 400, refused.text)
            self.assertIn("median is an extension of PromQL", refused.json["error"])
            self.assertEqual(self.get(f"/api/v1/{path}&query=sum(m)&strict=1").status, 200)

    def test_strict_by_setting_is_for_all_requests(self):
        with perilune.Server("--query-strict") as server:
            refused = server.client.get("/api/v1/query?query=1K")
            self.assertEqual(refused.status, 400, refused.text)
            self.assertEqual(server.client.get("/api/v1/query?query=1").status, 200)

    def test_explain_resolves_selectors_and_analyze_runs_the_query(self):
        path = ("/api/v1/explain?query=sum(rate(m[1m]))&start=1700000100&end=1700000500&step=10"
                "&analyze=")
        plan = self.get(path + "0").json["data"]
        self.assertEqual(plan["query"], "sum(rate(m[1m]))")
        self.assertNotIn("actual", plan)
        node = plan["plan"]
        self.assertEqual((node["kind"], node["of"], node["run"], node["rows"]),
                         ("aggregate", "sum", "fused", 1))
        selector = node["children"][0]["children"][0]
        self.assertEqual((selector["kind"], selector["series"]), ("range selector", 3))
        done = self.get(path + "1").json["data"]
        self.assertEqual(done["actual"]["series"], 3)
        self.assertEqual(done["actual"]["samples"], selector["samples"])
        self.assertEqual(done["plan"]["actual"]["calls"], 1)

    def test_explain_refuses_what_a_query_would_be_refused_for(self):
        for wrong in ("query=sum(", "query=m&start=10&end=1&step=1", "query=m&start=1&end=9",
                      "query=m[5m]&start=1&end=9&step=1", ""):
            reply = self.get(f"/api/v1/explain?{wrong}")
            self.assertEqual((reply.status, reply.json["errorType"]), (400, "bad_data"), reply.text)

    def test_statistics_count_samples_as_prometheus_does(self):
        reply = self.get("/api/v1/query_range?query=max_over_time(m[30s])&start=1700000100"
                         "&end=1700000130&step=10&stats=all")
        samples = reply.json["data"]["stats"]["samples"]
        self.assertEqual(samples["totalQueryableSamples"], 4 * 3 * 3)
        self.assertEqual([n for _, n in samples["totalQueryableSamplesPerStep"]], [9] * 4)


if __name__ == "__main__":
    perilune.unittest.main()
