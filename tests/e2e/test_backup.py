#!/usr/bin/env python3
# timeout: 200
"""Backups of a server under load, restored and counted; deletion and retention that free the disk."""
import glob
import os
import time
import unittest

import perilune
import writers

BUSY = ("--head-max-bytes", "256KB", "--flush-interval", "1s", "--compact-interval", "1s",
        "--journal-file-bytes", "1MB")
DAY = 86_400_000
T = int(time.time()) // 60 * 60 * 1000 - 600_000


def disk(path):
    """Allocated bytes."""
    return sum(os.lstat(os.path.join(where, name)).st_blocks * 512
               for where, _, names in os.walk(path) for name in names)


class Backup(unittest.TestCase):
    def make(self, *args, **options):
        server = perilune.StreamServer(*args, **options)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        return server

    def restored(self, backup, what):
        done = perilune.run("check-store", backup, check=False)
        self.assertEqual(done.returncode, 0, what + done.stdout.decode())
        server = self.make(start=False)
        perilune.run("restore", backup, server.data)
        server.start()
        return server

    def test_a_backup_under_load_has_all_that_was_acknowledged_before_it(self):
        server = self.make(*BUSY)
        backup = os.path.join(server.directory, "backup")
        crew = writers.Crew(server, pause=0.005)
        crew.start()
        for turn in range(3):  # the second and third are incremental
            start = crew.progress()
            perilune.wait_until(lambda: crew.progress() > start + 60, "the writers are at it")
            before = [dict(w.acknowledged) for w in crew.writers]
            perilune.run("backup", "--url", server.url, backup)
            copy = self.restored(backup, f"turn {turn}: ")
            for writer, promised in zip(crew.writers, before):
                seen = writers.Writer(writer.number, copy, crew.plan)
                seen.attempted = {request: {1} for request in writer.attempted}
                seen.acknowledged = promised
                self.assertEqual(crew.check_writer(copy.client, seen)[:5], [], f"turn {turn}")
            copy.kill()
        crew.stop()
        self.assertEqual(crew.check(), [])
        perilune.run("backup", "--url", server.url, backup)
        copy = self.restored(backup, "at the end: ")
        self.assertEqual(crew.check(copy.client), [])
        self.assertNotEqual(perilune.run("restore", backup, copy.data, check=False).returncode, 0)

    def test_deletion_by_matcher_and_range_frees_the_disk_and_stays_over_a_kill(self):
        server = self.make()
        client = server.client
        promised = perilune.Acknowledged()
        for n in range(40):
            labels = {"__name__": "big", "n": str(n)}
            samples = [(T - 3 * DAY + i * 1000, (i * 2654435761 + n) % 2 ** 32 / 7) for i in range(5000)]
            client.remote_write([(labels, samples)])
            if n >= 30:
                promised.add(labels, [s for s in samples if s[0] < T - 3 * DAY + 2_000_000])
        client.expect("compact", client.post("/api/v1/admin/compact", b""))
        full = disk(server.data + "/tenants")
        scrubbed = client.post("/api/v1/admin/scrub", b"").json["data"]
        self.assertGreater(scrubbed["packs"], 0)
        self.assertEqual(scrubbed["findings"], 0)
        client.expect("delete", client.post(
            '/api/v1/admin/tsdb/delete_series?match[]=big{n=~"[012]?."}', b""))
        client.expect("delete", client.post(
            "/api/v1/admin/tsdb/delete_series?match[]=big"
            f"&start={(T - 3 * DAY) / 1000 + 2000}&end={T / 1000}", b""))

        def agree(what):
            found = {tuple(sorted(labels.items())): list(zip(ts, vs))
                     for labels, ts, vs in writers.export(server.client, "big")}
            self.assertEqual(promised.differences(found), [], what)
            self.assertEqual(sum(map(len, found.values())), promised.count(), what)
        agree("at once")
        server.restart()
        agree("after kill -9")
        server.client.expect("compact", server.client.post("/api/v1/admin/compact", b""))
        agree("compacted")
        self.assertLess(disk(server.data + "/tenants"), full / 4)
        server.restart()
        agree("compacted and killed")

    def test_what_retention_has_ended_is_gone_from_disk_and_answers(self):
        server = self.make("--retention", "30d")
        for days in (1, 10, 20):
            server.client.remote_write([({"__name__": "aged", "n": str(n)},
                                         [(T - days * DAY + i * 1000, i / 7.0) for i in range(2000)])
                                        for n in range(5)])
            server.client.post("/api/v1/admin/flush", b"")
        server.client.post("/api/v1/admin/compact", b"")
        days = os.path.join(server.data, "tenants", "default", "*-2*-*")
        self.assertEqual(len(glob.glob(days)), 3)
        server.stop()
        server.args = ["--retention", "5d"] + server.args[2:]
        server.start()
        server.client.expect("compact", server.client.post("/api/v1/admin/compact", b""))
        times = [t for _, ts, _ in writers.export(server.client, "aged") for t in ts]
        self.assertEqual(len(times), 10_000)
        self.assertGreater(min(times), T - 2 * DAY)
        self.assertEqual(len(glob.glob(days)), 1)
        reply = server.client.post("/api/v1/import/prometheus", f"aged 1 {T - 6 * DAY}\n")
        self.assertIn(b"rejected", reply.body)


if __name__ == "__main__":
    perilune.main()
