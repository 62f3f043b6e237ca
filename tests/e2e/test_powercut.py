#!/usr/bin/env python3
# faults
# timeout: 300
"""A power cut at any operation: of what was written and not synced a random part is on the disk
(tests/e2e/powercut.c). With the default durability nothing acknowledged is lost, and no request is
half there. PERILUNE_CUT_ROUNDS (9) and PERILUNE_CUT_SEED for long runs by hand."""
import os
import random
import shutil
import subprocess
import tempfile
import time
import unittest

import perilune
import writers

ROUNDS = int(os.environ.get("PERILUNE_CUT_ROUNDS", "9"))
SEED = int(os.environ.get("PERILUNE_CUT_SEED", str(int(time.time()))))
SOURCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "powercut.c")
ROUNDS_OF_AN_EPOCH = 12

BUSY = ("--head-max-bytes", "256KB", "--flush-interval", "1s", "--compact-interval", "1s",
        "--journal-file-bytes", "256KB")


class PowerCut(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.mkdtemp(prefix="perilune-cut-")
        self.addCleanup(shutil.rmtree, self.directory, True)
        self.shim = os.path.join(self.directory, "powercut.so")
        compiler = os.environ.get("CC") or shutil.which("cc") or shutil.which("gcc") or "clang"
        subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-O1", "-o",
                        self.shim, SOURCE, "-ldl", "-lpthread"], check=True)
        os.mkdir(os.path.join(self.directory, "data"))

    def server(self, chance):
        data = os.path.realpath(os.path.join(self.directory, "data"))
        server = perilune.StreamServer(*BUSY, data=data, start=False)
        self.addCleanup(server.remove)
        self.addCleanup(server.kill)
        self.cut = lambda at: {"LD_PRELOAD": self.shim, "PL_CUT_DIR": data, "PL_CUT_OP": str(at),
                               "PL_CUT_SEED": str(chance.randrange(1 << 60))}
        return server

    def agree(self, crew, what):
        try:
            differences = crew.check()
        except (OSError, perilune.http.client.HTTPException) as e:
            self.fail(f"{what}: {e!r}\n{crew.server.log_tail()}")
        if differences:
            self.fail(f"{what}:\n" + "\n".join(differences) + "\n" + crew.server.log_tail(80))

    def test_nothing_acknowledged_is_lost_by_power_cuts(self):
        chance = random.Random(SEED)
        server = self.server(chance)
        crews = []
        for n in range(ROUNDS):
            if n % ROUNDS_OF_AN_EPOCH == 0:
                crews.append(writers.Crew(server, len(crews), SEED, pause=0.005))
            crew = crews[-1]
            at = chance.choice((chance.randrange(1, 40), chance.randrange(1, 600),
                                chance.randrange(200, 3000)))
            what = f"seed {SEED}, round {n}, cut at operation {at}"
            server.env = self.cut(at)
            server.start(wait=False)
            try:
                server.wait_ready()
                crew.start()
            except AssertionError:
                pass  # the cut came while it started
            server.wait_gone(90)
            crew.finish()
            server.env = {}
            server.start()
            self.agree(crew, what)
            if n % 4 == 3:
                server.client.post("/api/v1/admin/compact", b"")
                self.agree(crew, what + ", compacted")
                server.kill()
            else:
                server.kill()
        server.start()
        for crew in crews:
            self.agree(crew, "at the end")
        self.assertEqual(server.stop(), 0)
        done = perilune.run("check-store", server.data, check=False)
        self.assertEqual(done.returncode, 0, done.stdout.decode()[:2000])
        print(f"{ROUNDS} power cuts, {sum(c.count() for c in crews)} samples acknowledged, all there")

    def test_the_shim_loses_what_is_not_synced(self):
        """Else the test above would pass by itself."""
        chance = random.Random(1)
        lost = 0
        for n in range(6):
            shutil.rmtree(os.path.join(self.directory, "data"))
            os.mkdir(os.path.join(self.directory, "data"))
            server = self.server(chance)
            server.args += ["--durability", "process"]
            server.env = self.cut(200 + n)
            crew = writers.Crew(server, n, pause=0.002, kinds=writers.KINDS[:1])
            server.start()
            crew.start()
            server.wait_gone(90)
            crew.finish()
            server.env = {}
            server.start()
            lost += len(crew.check()) > 0
            server.kill()
        self.assertGreater(lost, 0)


if __name__ == "__main__":
    perilune.main()
