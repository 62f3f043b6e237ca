#!/usr/bin/env python3
# quick
"""Light queries run on the loop that read them: with the same answers, and what turns out to be more
than light goes to the query threads."""
import time

import perilune

T = int(time.time()) // 60 * 60 - 3600


class Light(perilune.ServerCase):
    def setUp(self):
        super().setUp()
        lines = [f'm{{host="h{h}",job="{"few" if h < 2 else "many"}"}} {h + i} {(T + 15 * i) * 1000}'
                 for h in range(60) for i in range(40)]
        self.client.push_text("\n".join(lines) + "\n")

    def on_loop(self):
        return self.client.metric("perilune_queries_on_loop_total")

    def ask(self, query, length=600, step=60):
        reply = self.client.expect(query, self.client.get(
            "/api/v1/query_range", query=query, start=T, end=T + length, step=step, nocache=1))
        return reply.json["data"]["result"]

    def known(self, query):
        """Ask until a loop answers."""
        before = self.on_loop()

        def asked():
            self.ask(query)
            return self.on_loop() > before
        perilune.wait_until(asked, "a loop answers")

    def test_another_host_is_as_light_and_has_its_own_answer(self):
        self.known('m{host="h1"}')
        before = self.on_loop()
        for h in (0, 7, 59):
            result = self.ask(f'm{{host="h{h}"}}')
            self.assertEqual([s["metric"]["host"] for s in result], [f"h{h}"])
            self.assertEqual([v for _, v in result[0]["values"][:3]],
                             [str(h), str(h + 4), str(h + 8)])
        self.assertEqual(self.on_loop(), before + 3)

    def test_what_is_more_than_light_is_answered_whole_by_a_thread(self):
        self.known('sum(m{job="few"})')
        before, total = self.on_loop(), self.client.metric("perilune_queries_total")
        result = self.ask('sum(m{job="many"})')      # over the series that a loop reads
        self.assertEqual(result[0]["values"][0][1], str(sum(range(2, 60))))
        self.assertEqual(self.on_loop(), before)
        self.assertEqual(self.client.metric("perilune_queries_total"), total + 1)
        self.ask('sum(m{job="few"})')                # the shape is forgotten, and learnt again
        self.assertEqual(self.on_loop(), before)
        self.known('sum(m{job="few"})')

    def test_errors_are_the_same(self):
        replaced = 'label_replace(m{host="h1"}, "x", "1", "host", "%s")'
        self.known(replaced % "h.")
        bad = self.client.get("/api/v1/query_range", query=replaced % "h(", start=T, end=T + 600,
                              step=60, nocache=1)
        self.assertEqual((bad.status, bad.json["errorType"]), (422, "execution"))
        self.assertIn("regular expression", bad.json["error"])


if __name__ == "__main__":
    perilune.main()
