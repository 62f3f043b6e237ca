#!/usr/bin/env python3
# quick
"""The examples of examples/clients run against a real server, and what they push is found. One
whose language is not installed is skipped by name."""
import os
import shutil
import subprocess
import time

import perilune

HERE = os.path.join(perilune.ROOT, "examples", "clients")
LIBRARY = os.path.join(os.path.dirname(perilune.BINARY), "examples", "example_push")
STREAM_PORT = perilune.free_port()


class Examples(perilune.ServerCase):
    ARGS = ("--stream", f"127.0.0.1:{STREAM_PORT}")

    def run_example(self, *command, cwd=HERE):
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def samples(self, metric):
        """{room: values in order of time} of the last hour."""
        result = self.client.query(f"{metric}[1h]", time=time.time() + 5)
        return {one["metric"]["room"]: [float(v) for _, v in one["values"]] for one in result}

    def test_c_pushes_by_the_stream(self):
        if not os.path.exists(LIBRARY):
            self.skipTest("libperilune was not built")
        said = self.run_example(LIBRARY, f"tcp://127.0.0.1:{STREAM_PORT}")
        self.assertIn("200 samples are durable", said)
        found = self.samples("example_c")
        self.assertEqual(found["cellar"], [12.0] * 100)
        self.assertEqual(found["kitchen"], [20 + i * 0.1 for i in range(99, -1, -1)])

    def test_the_documentation_shows_the_example_in_c_as_it_is(self):
        with open(os.path.join(HERE, "push.c"), encoding="utf-8") as f:
            example = f.read()
        with open(os.path.join(perilune.ROOT, "docs", "push.md"), encoding="utf-8") as f:
            self.assertIn(f"```c\n{example}```", f.read())

    def test_python_pushes_json_and_msgpack(self):
        self.assertIn("'accepted': 1000", self.run_example("python3", "push.py", self.server.url))
        found = self.samples("example_python")
        self.assertEqual(found["kitchen"], [20.5, 20.6])
        self.assertEqual(found["cellar"], [12.0])
        self.assertEqual(found["attic"], [25 + i / 10 for i in range(999, -1, -1)])
        self.assertEqual(self.client.api("/api/v1/metadata")["example_python"][0]["type"], "gauge")

    def test_the_shell_pushes_json_and_prometheus_text(self):
        if not shutil.which("curl"):
            self.skipTest("curl is not installed")
        self.run_example("sh", "push.sh", self.server.url)
        self.assertEqual(self.samples("example_shell"), {"kitchen": [20.5], "cellar": [12.0]})

    def test_lua_pushes_json_lines(self):
        for lua in ("luajit", "lua5.1", "lua"):
            command = [lua, "-e", 'require("socket.http")']
            if shutil.which(lua) and subprocess.run(command, capture_output=True,
                                                    check=False).returncode == 0:
                break
        else:
            self.skipTest("no Lua with lua-socket")
        self.run_example(lua, "push.lua", self.server.url)
        self.assertEqual(self.samples("example_lua"), {"kitchen": [20.5, 20.6], "cellar": [12.0]})

    def test_javascript_pushes_json_and_msgpack(self):
        if not shutil.which("node"):
            self.skipTest("node is not installed")
        said = self.run_example("node", "push.mjs", self.server.url)
        found = self.samples("example_js")
        self.assertEqual(found["kitchen"], [20.5, 20.6])
        if "JSON only" not in said:
            self.assertEqual(found["cellar"], [12 + i / 10 for i in range(99, -1, -1)])


if __name__ == "__main__":
    perilune.main()
