#!/usr/bin/env python3
# timeout: 300
"""The npm packages prom-client, @influxdata/influxdb-client, @msgpack/msgpack and msgpackr as they
are: npm/*.test.js, each file with a server of its own."""
import glob
import os
import shutil
import subprocess
import unittest

import perilune

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "npm")


def install():
    """`npm ci`, when what is there is not what the lock file says."""
    lock, done = (os.path.join(HERE, *p) for p in (["package-lock.json"],
                                                   ["node_modules", ".package-lock.json"]))
    if os.path.exists(done) and os.path.getmtime(done) >= os.path.getmtime(lock):
        return
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=HERE,
                   check=True, timeout=200)


class Npm(perilune.ServerCase):
    @classmethod
    def setUpClass(cls):
        if not (shutil.which("node") and shutil.which("npm")):
            raise AssertionError("node and npm are not there: ./dev test installs them")
        install()

    def run_file(self, name):
        done = subprocess.run(["node", "--test", os.path.join(HERE, name)], timeout=120,
                              env={**os.environ, "PL_URL": self.server.url},
                              capture_output=True, check=False)
        output = (done.stdout + done.stderr).decode(errors="replace")
        self.assertEqual(done.returncode, 0, output)
        self.assertRegex(output, r"pass [1-9]")


def add_tests():
    for path in sorted(glob.glob(os.path.join(HERE, "*.test.js"))):
        name = os.path.basename(path)
        setattr(Npm, "test_" + name.split(".")[0].replace("-", "_"),
                lambda self, name=name: self.run_file(name))


add_tests()

if __name__ == "__main__":
    unittest.main(verbosity=2)
