#!/usr/bin/env python3
# faults
# timeout: 300
"""kill -9 under load, again and again: what was acknowledged is there, bit by bit and once, and
nothing is half there. PERILUNE_KILL_ROUNDS (8) and PERILUNE_KILL_SEED for long runs by hand."""
import os
import random
import time
import unittest

import perilune
import writers

ROUNDS = int(os.environ.get("PERILUNE_KILL_ROUNDS", "8"))
SEED = int(os.environ.get("PERILUNE_KILL_SEED", str(int(time.time()))))
ROUNDS_OF_AN_EPOCH = 15  # then new series: the check would grow without end

BUSY = ("--head-max-bytes", "256KB", "--flush-interval", "1s", "--compact-interval", "1s",
        "--journal-file-bytes", "1MB", "--log-level", "info")


class Kill(unittest.TestCase):
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

    def test_what_was_acknowledged_survives_kills_at_random_moments(self):
        chance = random.Random(SEED)
        server = self.make(*BUSY)
        epochs = [writers.Crew(server, 0, SEED)]
        for n in range(ROUNDS):
            if n and n % ROUNDS_OF_AN_EPOCH == 0:
                epochs.append(writers.Crew(server, len(epochs), SEED))
            crew = epochs[-1]
            crew.start()
            before = crew.progress()
            perilune.wait_until(lambda: crew.progress() > before + 4, "something is acknowledged")
            time.sleep(chance.uniform(0, 1.2))  # the moment is what is tested
            server.kill()
            crew.finish()
            server.start()
            self.agree(crew, f"seed {SEED}, round {n}")
        for crew in epochs:
            self.agree(crew, f"seed {SEED}, at the end")
        self.assertGreater(server.client.metric("perilune_store_series"), 0)
        server.client.expect("compact", server.client.post("/api/v1/admin/compact", b""))
        for crew in epochs:
            self.agree(crew, f"seed {SEED}, compacted")
        self.assertEqual(server.stop(), 0)
        done = perilune.run("check-store", server.data, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode()[:2000])
        print(f"{ROUNDS} kills, {sum(c.count() for c in epochs)} samples acknowledged, all there")

    def test_what_was_acknowledged_survives_a_kill_at_each_step(self):
        # The step, and its passes at which to die.
        steps = (("journal.write", (1, 2, 40)), ("journal.sync", (1, 2, 40)),
                 ("journal.open", (1, 2)),
                 ("dir.sync", (1, 2, 4)), ("dir.make", (1, 3)), ("flush.write", (1, 2)),
                 ("flush.commit", (1, 3)), ("flush.catalogue", (1, 3)), ("flush.done", (1, 2)),
                 ("seal.write", (1,)), ("seal.sync", (1,)), ("seal.rename", (1, 2)),
                 ("seal.manifest", (1, 2)), ("path.remove", (1, 3)))
        server = self.make(*BUSY)
        crews, missed = [], []
        for point, passes in steps:
            crew = writers.Crew(server, len(crews), SEED, pause=0.01)
            crews.append(crew)
            for at in passes:
                if not self.die(server, crew, f"{point}=kill@{at}"):
                    missed.append(f"{point}@{at}")
        for crew in crews:
            self.agree(crew, "at the end")
        print(f"{sum(len(p) for _, p in steps)} steps, {sum(c.count() for c in crews)} samples; "
              f"not passed within the time: {' '.join(missed) or 'none'}")
        self.assertLess(len(missed), 4, missed)

    def die(self, server, crew, fault):
        """Start with the fault, load until it strikes, start again, look. Did it strike?"""
        server.kill()
        server.start(faults=fault, wait=False)
        try:
            server.wait_ready()
            crew.start()
            self.nudge(server)
        except (AssertionError, OSError):
            pass  # it died while it started: also a moment
        struck = True
        try:
            server.wait_gone(5)
        except perilune.subprocess.TimeoutExpired:
            struck = False
        server.kill()
        crew.finish()
        server.start()
        self.agree(crew, f"killed by {fault}")
        return struck

    @staticmethod
    def nudge(server):
        """Flush and compact, so that each step is passed."""
        for path in ("/api/v1/admin/flush", "/api/v1/admin/compact"):
            try:
                server.client.post(path, b"")
            except (OSError, perilune.http.client.HTTPException):
                return


if __name__ == "__main__":
    perilune.main()
