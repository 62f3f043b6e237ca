#!/usr/bin/env python3
# quick
"""What docs/push.md promises: statuses, rejects, sessions, idempotency, the stream's conversation."""
import json
import socket
import time

import perilune
import wire

NOW = int(time.time()) * 1000
STREAM_PORT = perilune.free_port()


class Push(perilune.ServerCase):
    ARGS = ("--stream", f"127.0.0.1:{STREAM_PORT}")

    def push(self, body, content_type=None, **headers):
        if not isinstance(body, (bytes, str)):
            body = json.dumps(body)
        return self.client.post("/api/v1/push", body, content_type,
                                {k.replace("_", "-"): v for k, v in headers.items()})

    def accepted(self, reply):
        self.assertEqual(reply.status, 200, reply)
        return reply.json["data"]["accepted"], reply.json["data"]["rejected"]

    def values(self, expression):
        return [(round(t * 1000), float(v)) for one in self.client.query(
            f"{expression}[1h]", time=time.time() + 5) for t, v in one["values"]]

    def test_json_needs_no_content_type(self):
        form = "application/x-www-form-urlencoded"
        self.assertEqual(self.accepted(self.push({"name": "a", "v": 21.5}, form)), (1, 0))
        self.assertEqual(self.accepted(self.push([[{"b": "c"}, NOW, 2]])), (1, 0))

    def test_bad_items_are_rejected_alone_with_position_and_reason(self):
        reply = self.push([[{"a": "b"}, 1, 2], [{"a": "b"}, "x", 2], [{"a": "b"}, NOW, 3]])
        self.assertEqual(self.accepted(reply), (1, 2))
        self.assertEqual([(one["row"], one["reason"]) for one in reply.json["data"]["rejects"]],
                         [(0, "too_old"), (1, "timestamp")])
        reply = self.push('{"name":"x","v":1}\n{"na', "application/x-ndjson")
        self.assertEqual(self.accepted(reply), (1, 1))
        self.assertEqual(reply.json["data"]["rejects"][0]["line"], 2)
        self.assertEqual(self.values('{a="b"}'), [(NOW, 3.0)])

    def test_a_body_or_encoding_that_cannot_be_read_is_an_error(self):
        for body in ('{"series": 5}', '{"sereis": []}', "{", b"\xc1", "7"):
            self.assertEqual(self.push(body).status, 400, body)
        self.assertEqual(self.push("[]", Content_Encoding="br").status, 415)
        self.assertEqual(self.push("[]", Content_Encoding="gzip").status, 400)

    def test_an_unknown_tenant_is_404_in_every_format_and_the_server_lives(self):
        for path, body in (("push", b'{"name":"a","v":1}'), ("push", b"\x80"),
                           ("import/prometheus", b"a 1\n"), ("write", b"\x00")):
            reply = self.client.post("/api/v1/" + path, body, headers={"X-Scope-OrgID": "nobody"})
            self.assertEqual(reply.status, 404, path)
        self.assertEqual(self.client.post("/write", b"a v=1",
                                          headers={"X-Scope-OrgID": "nobody"}).status, 404)
        self.assertEqual(self.client.post("/api/v1/push", b"[]",
                                          headers={"X-Scope-OrgID": "a/b"}).status, 400)

    def test_a_repeated_push_is_answered_as_the_first_and_stored_once_also_after_kill_9(self):
        body = {"producer": "p", "key": "k", "rows": [[{"n": "1"}, NOW, 1], [{"n": "1"}, 0, 1]]}
        first = self.push(body)
        self.assertEqual(self.accepted(first), (1, 1))
        self.server.restart()
        body["rows"] = [[{"n": "2"}, NOW, 1]]
        again = self.push(body)
        self.assertEqual(again.body, first.body)
        self.assertEqual(again.headers["Idempotent-Replay"], "true")
        self.assertEqual(self.values('{n="2"}'), [])
        self.assertEqual(self.push("[]", Idempotency_Key="k" * 200).status, 200)
        self.assertEqual(self.push("[]", Idempotency_Key="k" * 201).status, 400)
        self.assertEqual(self.push({"producer": "", "key": "k"}).status, 400)

    def test_handles_of_a_session_serve_later_requests_on_other_connections(self):
        token = self.client.post("/api/v1/push/session", b"").json["data"]["session"]
        self.assertEqual(self.accepted(self.push({"session": token, "define": {"0": {"s": "1"}}})),
                         (0, 0))
        other = self.server.new_client()
        self.addCleanup(other.close)
        reply = other.push({"session": token, "table": {"handles": [0, 1], "t": NOW, "v": [1, 2]}})
        self.assertEqual(self.accepted(reply), (1, 1))
        self.assertEqual(reply.json["data"]["rejects"][0]["reason"], "handle")
        self.assertEqual(self.push({"session": "none", "rows": []}).status, 409)
        self.assertEqual(self.values('{s="1"}'), [(NOW, 1.0)])

    def converse(self, messages, until):
        """Send, and read until so many bytes' worth of answer has the given end."""
        with socket.create_connection(("127.0.0.1", STREAM_PORT), timeout=10) as s:
            s.sendall(b"".join(wire.msgpack(m) for m in messages))
            got, end = b"", wire.msgpack(until)
            while not got.endswith(end):
                more = s.recv(65536)
                self.assertTrue(more, got)
                got += more
            return got

    def test_the_stream_acknowledges_and_resumes(self):
        hello = [0, {"version": 1, "producer": "sensors-1"}]
        self.converse([hello, [1, 0, {"room": "kitchen"}], [1, [[1, {"room": "cellar"}]]],
                       [2, 1, [0, 1], NOW, [20.5, 12.0]], [3, 2, [[0, [NOW + 1], [21]]]]], [2, 2])
        self.assertIn(wire.msgpack("last") + wire.msgpack(2),
                      self.converse([hello, [1, 0, {"room": "kitchen"}], [2, 2, [0], NOW + 1, [21]],
                                     [2, 3, [0], NOW + 2, [22]]], [2, 3]))
        self.assertEqual(self.values('{room="kitchen"}'),
                         [(NOW, 20.5), (NOW + 1, 21.0), (NOW + 2, 22.0)])

    def test_the_stream_says_what_it_does_not_take(self):
        got = self.converse([[0, {"version": 1}], [1, 0, {"a": 5}], [2, 1, [0], NOW, [1]]],
                            [3, 1, 1, [[0, "handle"]]])
        self.assertIn(b"\x93\x01\xcd\x01\x90", got)  # [1, 400, ...
        with socket.create_connection(("127.0.0.1", STREAM_PORT), timeout=10) as s:
            s.sendall(wire.msgpack([2, 1, [0], NOW, [1]]))
            got = b""
            while more := s.recv(65536):
                got += more
        self.assertTrue(got.startswith(b"\x93\x0f\xcd\x01\x90"), got)  # [15, 400, ... and the end


class Limits(perilune.ServerCase):
    ARGS = ("--max-batch-partitions", "2", "--max-tenants", "2", "--tenants-auto")

    def test_a_limit_is_refused_by_name(self):
        days = "".join(f"a 1 {NOW - day * 86_400_000}\n" for day in range(3))
        for text, tenant, name in ((days, "default", "--max-batch-partitions"),
                                   ("a 1\n", "first", None), ("a 1\n", "second", "--max-tenants")):
            reply = self.client.post("/api/v1/import/prometheus", text,
                                     headers={"X-Scope-OrgID": tenant})
            self.assertEqual(reply.status, 413 if name else 204, reply)
            self.assertIn(name or "", reply.text)
        self.assertEqual(self.client.query("a", time=time.time()), [])


if __name__ == "__main__":
    perilune.main()
