#!/usr/bin/env python3
# quick
"""Answers as msgpack and CSV say what the JSON says; parameters arrive in every way; running queries
are listed and can be ended."""
import csv
import io
import struct
import threading
import time

import perilune
import wire


def unpack(data):
    """A msgpack value; what is left behind it fails."""
    value, used = wire.unmsgpack(data)
    if used != len(data):
        raise AssertionError(f"{len(data) - used} bytes behind the value")
    return value


def doubles(b):
    return list(struct.unpack(f"<{len(b) // 8}d", b))


def points(data):
    """{labels: [(ms, text of value)]} of a msgpack answer."""
    out = {}
    if data["resultType"] == "vector":
        for metric, v in zip(data["series"], doubles(data["v"])):
            out[tuple(sorted(metric.items()))] = [(data["t"], v)]
        return out
    for one in data["series"]:
        v = doubles(one["v"])
        if "t" in one:
            times = list(struct.unpack(f"<{len(v)}q", one["t"]))
        else:
            steps = struct.unpack(f"<{len(v)}I", one["i"]) if "i" in one else range(data["n"])
            times = [data["start"] + i * data["step"] for i in steps]
        out[tuple(sorted(one["metric"].items()))] = list(zip(times, v))
    return out


def json_points(result):
    return {tuple(sorted(one["metric"].items())):
            [(round(t * 1000), float(v)) for t, v in one.get("values") or [one["value"]]]
            for one in result}


NOW = 1_700_000_000
MSGPACK, CSV = {"Accept": "application/msgpack"}, {"Accept": "text/csv"}
SPAN = {"start": NOW - 100, "end": NOW, "step": 10}


class Formats(perilune.ServerCase):
    ARGS = ("--retention", "0")

    def setUp(self):
        super().setUp()
        lines = []
        for i in range(11):
            t = (NOW - 100 + 10 * i) * 1000
            lines.append(f'a{{host="x"}} {i + 0.5} {t}')
            if i not in (3, 4):
                lines.append(f'a{{host="y,\\"q\\"",zone="z"}} {-i} {t}')
        self.client.push_text("\n".join(lines) + "\n")

    def ask(self, path, headers, **parameters):
        return self.client.expect(path, self.client.get(path, headers, **parameters))

    def test_msgpack_holds_the_numbers_of_the_json(self):
        for path, parameters in (
                ("/api/v1/query", {"query": "a", "time": NOW}),
                ("/api/v1/query", {"query": "a[95s]", "time": NOW}),
                ("/api/v1/query_range", {"query": "a", **SPAN, "lookback_delta": "5s"}),
                ("/api/v1/query_range", {"query": "sum(a)", **SPAN}),
                ("/api/v1/query_range", {"query": "nosuch", **SPAN})):
            reply = self.ask(path, MSGPACK, **parameters)
            self.assertEqual(reply.headers["Content-Type"], "application/msgpack")
            packed, plain = unpack(reply.body), self.ask(path, {}, **parameters).json
            self.assertEqual(packed["status"], "success")
            self.assertEqual(packed["data"]["resultType"], plain["data"]["resultType"])
            self.assertEqual(points(packed["data"]), json_points(plain["data"]["result"]))
        gaps = unpack(self.ask("/api/v1/query_range", MSGPACK, query='a{zone="z"}', **SPAN,
                               lookback_delta="5s").body)["data"]["series"][0]
        self.assertEqual(struct.unpack("<9I", gaps["i"]), (0, 1, 2, 5, 6, 7, 8, 9, 10))

    def test_scalars_strings_stats_and_warnings_are_in_msgpack(self):
        data = unpack(self.ask("/api/v1/query", MSGPACK, query="1.5", time=NOW).body)["data"]
        self.assertEqual(data, {"resultType": "scalar", "t": NOW * 1000, "v": 1.5})
        data = unpack(self.ask("/api/v1/query", MSGPACK, query='"x"', time=NOW).body)["data"]
        self.assertEqual(data, {"resultType": "string", "t": NOW * 1000, "v": "x"})
        whole = unpack(self.ask("/api/v1/query", MSGPACK, query="a", time=NOW, stats="all",
                                limit=1).body)
        self.assertEqual(whole["warnings"], ["results truncated due to limit"])
        self.assertEqual(len(whole["data"]["series"]), 1)
        self.assertEqual(whole["data"]["stats"]["series"], 2)

    def test_csv_has_a_row_a_sample_and_a_column_a_label(self):
        for path, parameters in (("/api/v1/query", {"query": "a", "time": NOW}),
                                 ("/api/v1/query_range", {"query": "a", **SPAN})):
            reply = self.ask(path, CSV, **parameters)
            self.assertTrue(reply.headers["Content-Type"].startswith("text/csv"))
            rows = list(csv.reader(io.StringIO(reply.text)))
            self.assertEqual(rows[0], ["__name__", "host", "zone", "timestamp", "value"])
            found = {}
            for *labels, t, v in rows[1:]:
                key = tuple((n, x) for n, x in zip(rows[0], labels) if x)
                found.setdefault(key, []).append((round(float(t) * 1000), float(v)))
            plain = self.ask(path, {}, **parameters).json["data"]["result"]
            self.assertEqual(found, json_points(plain))
        self.assertEqual(self.ask("/api/v1/query", CSV, query="2", time=NOW).text,
                         f"timestamp,value\n{NOW},2\n")

    def test_lists_come_in_the_three_formats(self):
        series = self.ask("/api/v1/series", {}, **{"match[]": "a"}).json["data"]
        packed = self.ask("/api/v1/series", MSGPACK, **{"match[]": "a"})
        self.assertEqual(unpack(packed.body), {"status": "success", "data": series})
        rows = list(csv.DictReader(io.StringIO(
            self.ask("/api/v1/series", CSV, **{"match[]": "a"}).text)))
        self.assertEqual([{k: v for k, v in row.items() if v} for row in rows], series)
        for path in ("/api/v1/labels", "/api/v1/label/host/values"):
            plain = self.ask(path, {}).json["data"]
            self.assertEqual(unpack(self.ask(path, MSGPACK).body)["data"], plain)
            rows = list(csv.reader(io.StringIO(self.ask(path, CSV).text)))
            self.assertEqual([row[0] for row in rows[1:]], plain)
        cut = unpack(self.ask("/api/v1/labels", MSGPACK, limit=1).body)
        self.assertEqual((len(cut["data"]), len(cut["warnings"])), (1, 1))

    def test_the_accept_header_is_weighed_and_an_unknown_one_is_json(self):
        for accept, wanted in (("", "application/json"), ("image/png", "application/json"),
                               ("*/*", "application/json"), ("text/html,*/*;q=0.8", "application/json"),
                               ("text/csv;q=0.5, application/msgpack", "application/msgpack"),
                               ("application/msgpack;q=0, text/csv", "text/csv"),
                               ("application/x-msgpack", "application/msgpack")):
            reply = self.ask("/api/v1/query", {"Accept": accept}, query="1")
            self.assertEqual(reply.headers["Content-Type"].split(";")[0], wanted, accept)
        reply = self.client.get("/api/v1/query", MSGPACK, query="sum(")
        self.assertEqual((reply.status, reply.json["errorType"]), (400, "bad_data"))

    def test_parameters_of_body_and_url_are_merged(self):
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        both = self.client.request("POST", "/api/v1/query?query=1&time=5", "query=2", form).json
        self.assertEqual(both["data"]["result"], [5, "2"])
        body = ('--b\r\nContent-Disposition: form-data; name="query"\r\n\r\n3\r\n'
                '--b\r\nContent-Disposition: form-data; name="time"\r\n\r\n7\r\n--b--\r\n')
        parts = self.client.request("POST", "/api/v1/query", body,
                                    {"Content-Type": "multipart/form-data; boundary=b"}).json
        self.assertEqual(parts["data"]["result"], [7, "3"])
        found = self.client.request("POST", "/api/v1/series?match[]=nosuch", "match[]=a", form)
        self.assertEqual(len(found.json["data"]), 2)

    def test_stats_are_those_of_prometheus_and_more(self):
        data = self.ask("/api/v1/query_range", {}, query="a", **SPAN, stats="true").json["data"]
        self.assertEqual(set(data["stats"]["timings"]),
                         {"evalTotalTime", "resultSortTime", "queryPreparationTime",
                          "innerEvalTime", "execQueueTime", "execTotalTime"})
        self.assertIn("totalQueryableSamples", data["stats"]["samples"])
        self.assertEqual((data["stats"]["read"]["series"], data["stats"]["read"]["tier"]),
                         (2, "raw"))
        self.assertNotIn("stats", self.ask("/api/v1/query", {}, query="a").json["data"])

    def test_time_that_is_up_before_it_began(self):
        reply = self.client.get("/api/v1/query", query="a", timeout="0")
        self.assertEqual((reply.status, reply.json["errorType"]), (503, "timeout"))


class Exemplars(perilune.ServerCase):
    ARGS = ("--max-exemplars", "2")

    def test_those_of_openmetrics_are_kept_and_the_oldest_go(self):
        now = int(time.time())
        lines = [f'a_bucket{{le="1"}} 5 {now} # {{trace_id="x",b="ü"}} 0.5 {now - 1}.25',
                 f'a_bucket{{le="2"}} 5 {now} # {{trace_id="y"}} 1.5',
                 f'a_bucket{{le="3"}} 5 {now} # {{trace_id="{"z" * 200}"}} 1.5',
                 f'a_bucket{{le="4"}} 5 {now} # {{broken 1.5', "# EOF\n"]
        reply = self.client.push_text("\n".join(lines).encode())
        self.assertEqual(reply.status, 204)
        ask = {"query": "a_bucket", "start": now - 10, "end": now + 10}
        self.assertEqual(self.client.api("/api/v1/query_exemplars", **ask), [
            {"seriesLabels": {"__name__": "a_bucket", "le": "1"},
             "exemplars": [{"labels": {"b": "ü", "trace_id": "x"}, "value": "0.5",
                            "timestamp": now - 0.75}]},
            {"seriesLabels": {"__name__": "a_bucket", "le": "2"},
             "exemplars": [{"labels": {"trace_id": "y"}, "value": "1.5", "timestamp": now}]}])
        self.client.push_text(f'a_bucket{{le="5"}} 5 {now} # {{}} 9\n# EOF\n')
        found = self.client.api("/api/v1/query_exemplars", **ask)
        self.assertEqual([one["seriesLabels"]["le"] for one in found], ["2", "5"])
        self.assertEqual(self.client.metric("perilune_store_exemplars"), 2)
        self.assertEqual(self.client.metric("perilune_store_exemplars_dropped_total"), 1)
        other = self.server.new_client(tenant="other")
        self.assertEqual(other.get("/api/v1/query_exemplars", **ask).status, 404)


class RemoteRead(perilune.ServerCase):
    def test_a_histogram_comes_back_as_it_was_sent(self):
        now = int(time.time() * 1000)
        histogram = (b"\x08\x03\x19" + struct.pack("<d", 3.14159265358979) + b"\x29" + struct.pack("<d", 0.001)
                     + b"\x30\x00" + wire.field(11, b"\x10\x02") + wire.field(12, b"\x04\x01")
                     + b"\x78" + wire.varint(now))
        series = wire.field(1, wire.text(1, "__name__") + wire.text(2, "h"))
        body = wire.field(1, series + wire.field(4, histogram))
        self.client.expect("write", self.client.post("/api/v1/write", wire.snappy(body),
                                                     "application/x-protobuf"))
        matcher = wire.text(2, "__name__") + wire.text(3, "h")
        query = b"\x10" + wire.varint(now) + wire.field(3, matcher)
        reply = self.client.expect("read", self.client.post(
            "/api/v1/read", wire.snappy(wire.field(1, query)), "application/x-protobuf"))
        self.assertIn(histogram, reply.body) # too short for snappy to find anything twice in it
        streamed = wire.field(1, query) + wire.field(2, b"\x01")
        reply = self.client.post("/api/v1/read", wire.snappy(streamed))
        self.assertEqual((reply.status, reply.body), (200, b""))


class Kill(perilune.ServerCase):
    ARGS = ("--query-threads", "1", "--query-timeout", "2m")
    LONG = "sum_over_time((count(a)+vector(1))[10d:1s])"

    def test_a_running_and_a_waiting_query_are_shown_and_ended(self):
        self.client.push_text("a 1\n")
        answers = []

        def ask(query):
            client = self.server.new_client()
            answers.append(client.get("/api/v1/query_range", query=query, start=1, end=8640001,
                                      step=1000))
            client.close()
        queries = [self.LONG, f"1 + {self.LONG}"] # equal ones would share one run
        threads = [threading.Thread(target=ask, args=(query,)) for query in queries]
        for thread in threads:
            thread.start()

        def listed():
            found = self.client.api("/api/v1/status/queries")["queries"]
            return found if len(found) == 2 else None
        found = perilune.wait_until(listed, "two queries")
        self.assertEqual({x["query"] for x in found}, set(queries))
        self.assertEqual({x["kind"] for x in found}, {"range"})
        self.assertEqual(sorted(x["state"] for x in found), ["running", "waiting"])
        self.assertEqual(found[0]["tenant"], "default")
        other = self.client.get("/api/v1/status/queries", {"X-Scope-OrgID": "other"})
        self.assertEqual(other.json["data"]["queries"], [])
        for x in found:
            reply = self.client.request("DELETE", f"/api/v1/status/queries/{x['id']}")
            self.assertEqual(reply.json["data"]["id"], x["id"])
        for thread in threads:
            thread.join(60)
        for answer in answers:
            self.assertEqual((answer.status, answer.json["errorType"]), (499, "canceled"))
            self.assertIn("killed", answer.json["error"])
        self.assertEqual(self.client.api("/api/v1/status/queries")["queries"], [])
        gone = self.client.request("DELETE", f"/api/v1/status/queries/{found[0]['id']}")
        self.assertEqual((gone.status, gone.json["errorType"]), (404, "not_found"))
        bad = self.client.request("POST", "/api/v1/status/queries/x/kill")
        self.assertEqual(bad.status, 400)


if __name__ == "__main__":
    perilune.main()
