#!/usr/bin/env python3
# faults
# timeout: 300
"""Disks that are full, that fail, that lie: what is acknowledged stays, the rest is said."""
import glob
import os
import random
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import perilune
import writers

BUSY = ("--head-max-bytes", "256KB", "--flush-interval", "1s", "--compact-interval", "1s",
        "--journal-file-bytes", "1MB")
T = int(time.time()) // 60 * 60 * 1000 - 600_000


class DiskCase(unittest.TestCase):
    def make(self, *args, **options):
        server = perilune.StreamServer(*args, **options)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        return server

    def agree(self, crew, what):
        try:
            differences = crew.check()
        except (OSError, perilune.http.client.HTTPException) as e:
            crew.server.process.poll()
            self.fail(f"{what}: {e!r}, exit {crew.server.process.returncode}\n"
                      + crew.server.log_tail())
        if differences:
            self.fail(f"{what}:\n" + "\n".join(differences) + "\n" + crew.server.log_tail())

    def load_until(self, crew, condition, what):
        """Let the crew write, each again when it was refused and its connection ended."""
        crew.start()

        def met():
            for i, writer in enumerate(crew.writers):
                if not writer.is_alive():
                    if writer.error:
                        raise AssertionError(what) from writer.error
                    crew.writers[i] = writer.again()
                    crew.writers[i].start()
            return condition()
        try:
            perilune.wait_until(met, what, 60)
        except AssertionError as e:
            self.fail(f"{e}\n{crew.server.log_tail()}")
        finally:
            crew.stop()
            crew.writers = [w.again() for w in crew.writers]


class Full(DiskCase):
    """On a small file system of its own; needs root."""

    def setUp(self):
        self.mount = tempfile.mkdtemp(prefix="perilune-full-")
        self.addCleanup(os.rmdir, self.mount)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48m", "perilune", self.mount],
                              capture_output=True, check=False)
        if done.returncode != 0:
            self.skipTest("cannot mount a tmpfs: " + done.stderr.decode())
        self.addCleanup(subprocess.run, ["umount", "-l", self.mount], check=True)

    def fill(self, leave):
        path = os.path.join(self.mount, "filler")
        with open(path, "wb") as f:
            free = shutil.disk_usage(self.mount).free
            if free > leave:
                os.posix_fallocate(f.fileno(), 0, free - leave)
        return path

    def cycle(self, *args, leave):
        server = self.make(*BUSY, *args, data=os.path.join(self.mount, "data"))
        crew = writers.Crew(server, pause=0.005)
        self.load_until(crew, lambda: crew.progress() > 100, "the disk has room")
        self.assertEqual(crew.refused(), 0)
        filler = self.fill(leave)
        self.load_until(crew, lambda: crew.refused() > 20, "writes are refused")
        reply = server.client.post("/api/v1/import/prometheus", f"probe 1 {T}\n")
        # Memory that cannot be flushed may be full as well: that is a 429.
        self.assertIn(reply.status, (507,) if leave else (507, 429), reply)
        self.assertIn("Retry-After", reply.headers)
        self.agree(crew, "while the disk is full")
        os.unlink(filler)
        perilune.wait_until(lambda: server.client.post("/api/v1/import/prometheus",
                                                       f"probe 2 {T}\n").status in (200, 204),
                            "writes are taken again")
        before = crew.progress()
        self.load_until(crew, lambda: crew.progress() > before + 50, "it goes on by itself")
        self.agree(crew, "when there is room again")
        server.restart()
        self.agree(crew, "after kill -9")
        self.assertEqual(server.stop(), 0)
        self.assertEqual(perilune.run("check-store", server.data, check=False).returncode, 0)

    def test_below_the_reserve_writes_get_507_and_are_taken_again_when_there_is_room(self):
        self.cycle("--disk-reserve-bytes", "8MB", leave=4 << 20)

    def test_without_a_reserve_the_last_byte_is_survived_too(self):
        self.cycle("--disk-reserve-bytes", "0", leave=0)


class Failing(DiskCase):
    def test_a_failed_sync_of_the_journal_makes_it_read_only_until_a_restart(self):
        server = self.make(*BUSY, faults="journal.sync=EIO@40")
        crew = writers.Crew(server, pause=0.002)
        self.load_until(crew, lambda: crew.refused() > 10, "writes are refused")
        reply = server.client.post("/api/v1/import/prometheus", f"probe 1 {T}\n")
        self.assertEqual(reply.status, 503, reply)
        self.assertIn(b"restart", reply.body)
        self.assertEqual(server.client.metric("perilune_journal_read_only"), 1)
        self.assertTrue(server.client.api("/api/v1/status/runtimeinfo")["readOnly"])
        self.agree(crew, "read-only")
        refused = crew.refused()
        server.restart()
        self.agree(crew, "after the restart")
        before = crew.progress()
        self.load_until(crew, lambda: crew.progress() > before + 50, "it takes writes again")
        self.assertEqual(crew.refused(), refused)
        self.agree(crew, "and goes on")

    def test_each_step_may_fail(self):
        """Not once and for all as above: the step fails a few times, the server goes on."""
        steps = ("journal.write=ENOSPC", "journal.write=short", "journal.write=EIO",
                 "journal.open=ENOSPC", "flush.write=ENOMEM", "flush.commit=ENOSPC",
                 "flush.commit=EIO", "flush.catalogue=EIO", "flush.catalogue=ENOSPC",
                 "seal.write=ENOSPC", "seal.sync=EIO", "seal.rename=EIO", "seal.manifest=ENOSPC",
                 "path.remove=EIO", "head.map=ENOMEM", "dir.sync=EIO")
        server = self.make(*BUSY, start=False)
        crews = []
        for n, step in enumerate(steps):
            with self.subTest(step):
                crew = writers.Crew(server, n, pause=0.005)
                crews.append(crew)
                server.kill()
                server.start(faults=f"{step}@2,{step}@3,{step}@5")
                ready = crew.progress()
                self.load_until(crew, lambda: crew.progress() > ready + 60, f"{step} is survived")
                for path in ("flush", "compact"):
                    server.client.post(f"/api/v1/admin/{path}", b"")
                self.agree(crew, step)
                server.kill()
                server.start()
                self.agree(crew, f"{step}, after a restart")
                server.kill()
        server.start()
        for crew, step in zip(crews, steps):
            self.agree(crew, f"{step}, at the end")


class Damaged(DiskCase):
    """One bit is turned: check-store names the place, the server starts and serves the rest."""

    def setUp(self):
        server = self.make("--journal-file-bytes", "64KB")
        self.promised = perilune.Acknowledged()
        for day, then in ((3, "compact"), (2, "compact"), (1, "flush"), (0, None)):
            at = T - day * 86_400_000
            for n in range(12):
                labels = {"__name__": "kept", "day": str(day), "n": str(n)}
                samples = [(at + i * 1000, n + i * 0.1) for i in range(200)]
                server.client.remote_write([(labels, samples)])
                self.promised.add(labels, samples)
            if then:
                server.client.expect(then, server.client.post(f"/api/v1/admin/{then}", b""))
        server.kill()
        self.server = server
        self.good = os.path.join(server.directory, "good")
        os.rename(server.data, self.good)

    def found(self):
        return {tuple(sorted(labels.items())): dict(zip(ts, vs)) for labels, ts, vs in
                writers.export(self.server.client, '{__name__=~".+"}', damaged=True)}

    def damage_and_look(self, pattern, harm, what):
        """(output of check-store, samples lost): nothing may be wrong, invented or refused."""
        self.server.kill()
        shutil.rmtree(self.server.data, ignore_errors=True)
        shutil.copytree(self.good, self.server.data)
        (path,) = sorted(glob.glob(os.path.join(self.server.data, pattern)))[-1:]
        at = harm(path)
        done = perilune.run("check-store", self.server.data, check=False)
        said = done.stdout.decode()
        try:
            self.server.start(wait=False)
            if self.refuses(path):
                self.assertEqual(done.returncode, 4, said)
                return 4, 0
            self.server.wait_ready()
            found = self.found()
        except (AssertionError, OSError, perilune.http.client.HTTPException) as e:
            self.fail(f"{what} at {at} of {path}: {e}\ncheck-store {done.returncode}: {said}\n"
                      + self.server.log_tail())
        lost = 0
        for labels, samples in self.promised.series.items():
            have = found.pop(labels, {})
            lost += len(samples) - len(have)
            for ms, value in have.items():
                self.assertEqual(value, samples.get(ms), f"{what} at {at}: {labels} {ms}")
        self.assertEqual(found, {}, f"{what} at {at}")
        if lost:
            self.assertEqual(done.returncode, 4, f"{what} at {at} loses {lost}, not found: {said}")
        if done.returncode == 4:
            place = re.search(re.escape(os.path.relpath(path, self.server.data)) + r".*offset (\d+)",
                              said)
            self.assertIn(os.path.basename(os.path.dirname(path)), said)
            self.assertTrue(place or "manifest" in said or ": " in said, said)
        else:
            self.assertEqual(done.returncode, 0, said)
        return done.returncode, lost

    def refuses(self, path):
        """Without its manifest a tenant is not opened: what the manifest does not name is removed
        at the start, so going on would make it worse. The log names the file and the place."""
        if "catalogue" not in path:
            return False
        perilune.wait_until(lambda: not self.server.alive or self.server.client_is_answered(),
                            "it starts or ends")
        return not self.server.alive and re.search(
            re.escape(path) + r": .* at \d+", self.server.log()) is not None

    def flip(self, chance):
        def harm(path):
            with open(path, "r+b") as f:
                data = f.read()
                at = chance.randrange(len(data))
                while not data[at]:  # much of a file is empty
                    at = chance.randrange(len(data))
                f.seek(at)
                byte = f.read(1)[0]
                f.seek(at)
                f.write(bytes((byte ^ 1 << chance.randrange(8),)))
            return at
        return harm

    def test_an_undamaged_store_is_whole(self):
        code, lost = self.damage_and_look("TENANTS", lambda path: None, "nothing")
        self.assertEqual((code, lost), (0, 0))

    def test_flipped_bits_are_found_and_the_rest_is_served(self):
        chance = random.Random(int(os.environ.get("PERILUNE_FLIP_SEED", "7")))
        total = sum(len(s) for s in self.promised.series.values())
        for pattern, least, more in (("journal/*", 0.25, 1),
                                     ("tenants/default/sealed-*/data.mdb", 0.25, 1),
                                     ("tenants/default/hot-*/data.mdb", 0.25, 1),
                                     ("tenants/default/catalogue/data.mdb", 0, 4)):
            hits = 0
            for _ in range(more * int(os.environ.get("PERILUNE_FLIPS", "6"))):
                code, lost = self.damage_and_look(pattern, self.flip(chance), f"a bit of {pattern}")
                hits += code == 4
                self.assertLessEqual(lost, total * (1 - least))
            self.assertGreater(hits, 0, pattern)

    def test_a_torn_end_of_the_journal_costs_no_more_than_its_last_frames(self):
        for cut in (1, 7, 40, 200):
            def harm(path, cut=cut):
                with open(path, "rb") as f:
                    end = len(f.read().rstrip(b"\0"))
                os.truncate(path, end - cut)
                return end - cut
            code, lost = self.damage_and_look("journal/*", harm, "torn")
            self.assertLessEqual(lost, 400)
            self.assertIn(code, (0, 4))

    def test_a_damaged_or_missing_list_of_tenants_is_survived(self):
        self.damage_and_look("TENANTS", self.flip(random.Random(3)), "a bit")


if __name__ == "__main__":
    perilune.main()
