#!/usr/bin/env python3
# quick
"""A new user's first minute: start, push in each way, ask, stop, kill, start again."""
import re
import signal
import time

import perilune

T = int(time.time()) // 60 * 60 * 1000 - 600_000  # ten minutes ago, on a minute


class Start(perilune.ServerCase):
    def test_it_is_healthy_and_ready_and_says_what_it_is(self):
        self.assertEqual(self.client.get("/-/healthy").status, 200)
        self.assertEqual(self.client.get("/-/ready").status, 200)
        page = self.client.get("/")
        self.assertEqual(page.status, 200)
        self.assertIn("Perilune", page.text)
        self.assertEqual(self.client.get("/no/such/place").status, 404)

    def test_its_own_metrics_are_described_and_sorted(self):
        text = self.client.get("/metrics").text
        families = re.findall(r"^# TYPE (\S+) ", text, re.MULTILINE)
        self.assertTrue(families)
        self.assertEqual(families, sorted(set(families)))
        self.assertEqual(families, re.findall(r"^# HELP (\S+) \S", text, re.MULTILINE))

    def test_a_pushed_sample_can_be_asked_for_at_once(self):
        self.client.push_text(f'room_temperature{{room="kitchen"}} 21.5 {T}\n')
        self.client.push_influx(f"disk,host=a used=12 {T * 1_000_000}")
        self.client.remote_write([({"__name__": "up", "job": "node"}, [(T, 1.0)])])
        for expression, value in (('room_temperature{room="kitchen"}', "21.5"),
                                  ('disk_used{host="a"}', "12"), ('up{job="node"}', "1")):
            result = self.client.query(expression, time=T / 1000)
            self.assertEqual([one["value"][1] for one in result], [value], expression)

    def test_what_was_acknowledged_is_there_after_kill_9(self):
        labels = {"__name__": "kept", "n": "1"}
        promised = perilune.Acknowledged()
        for i in range(50):
            samples = [(T + i * 1000, i * 0.1)]
            self.client.remote_write([(labels, samples)])
            promised.add(labels, samples)
        self.server.restart()
        self.assertEqual(promised.differences(self.client.raw("kept", T, T + 60_000)), [])

    def test_sigterm_ends_it_cleanly_and_what_was_pushed_is_there_again(self):
        self.client.push_text(f"stopped 1 {T}\n")
        self.assertEqual(self.server.stop(), 0)
        self.server.start()
        self.assertEqual(len(self.client.query("stopped", time=T / 1000)), 1)

    def test_a_second_server_on_the_same_data_is_refused(self):
        second = perilune.Server(data=self.server.data, start=False)
        self.addCleanup(second.remove)
        second.start(wait=False)
        self.assertNotIn(second.wait_gone(20), (0, -signal.SIGSEGV, -signal.SIGABRT))
        self.assertTrue(self.server.alive)


if __name__ == "__main__":
    perilune.main()
