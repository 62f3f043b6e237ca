#!/usr/bin/env python3
# quick
"""Every command of `perilune`, for real: what it prints, what it leaves behind, how it exits."""
import csv
import io
import json
import os
import re
import shutil
import struct
import subprocess
import tempfile
import time

import perilune
import wire

NOW = int(time.time()) // 60 * 60 - 600  # ten minutes ago, on a minute
STALE = struct.unpack("<d", struct.pack("<Q", 0x7ff0000000000002))[0]
OK, FAILED, USAGE, UNREACHABLE, DAMAGE = range(5)
COMMANDS = ("serve", "push", "query", "queries", "series", "labels", "import", "export", "backup", "restore",
            "check-store", "completion", "version")


def bits(numbers):
    return [struct.unpack("<Q", struct.pack("<d", v))[0] for v in numbers]


class CliCase(perilune.ServerCase):
    def setUp(self):
        super().setUp()
        self.directory = tempfile.mkdtemp(prefix="perilune-cli-")
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.directory, name)

    def cli(self, *args, stdin=None, exit=OK, env=None):
        """Run against our server; the CompletedProcess, output as text."""
        done = perilune.run(*args, check=False, stdin=stdin, seconds=60,
                            env={"PERILUNE_URL": self.server.url, **(env or {})})
        done.out, done.err = done.stdout.decode(), done.stderr.decode()
        self.assertEqual(done.returncode, exit, f"{args}: {done.out}{done.err}")
        return done

    def push(self, text, *args, **options):
        return self.cli("push", *args, stdin=text if isinstance(text, bytes) else text.encode(),
                        **options)


class Cli(CliCase):
    # --- push ---

    def test_push_takes_every_format_from_standard_input_and_files(self):
        ms = NOW * 1000
        labels = {"__name__": "p", "f": "json"}
        remote = wire.snappy(wire.write_request([({"__name__": "p", "f": "remote"}, [(ms, 6.0)])]))
        bodies = {
            "prometheus": f'p{{f="text"}} 1 {ms}\n'.encode(),
            "influx": f"p,f=influx value=2 {ms}000000\n".encode(),
            "jsonl": json.dumps([{**labels, "f": "jsonl"}, ms, 3]).encode() + b"\n",
            "json": json.dumps({"rows": [[labels, ms, 4]]}).encode(),
            "msgpack": wire.msgpack([[{**labels, "f": "msgpack"}, ms, 5]]),
            "remote-write": remote,
        }
        for name, body in bodies.items():
            self.push(body, "--format", name)
            with open(self.path(name), "wb") as f:
                f.write(body)
            self.cli("push", "--format", name, self.path(name))
        found = {one["metric"]["f"]: one["value"][1]
                 for one in self.client.query('{__name__=~"p|p_value"}', time=NOW)}
        self.assertEqual(found, {"text": "1", "influx": "2", "jsonl": "3", "json": "4",
                                 "msgpack": "5", "remote": "6"})

    def test_push_counts_lines_from_the_begin_of_the_input_over_all_its_pieces(self):
        line = f'long{{text="{"x" * 1000}"}} %d {NOW}000\n'
        lines = [line % i for i in range(6000)]  # 6 MB: two pieces
        lines[5999] = "bad\n"
        done = self.push("".join(lines), exit=FAILED)
        self.assertIn("push: line 6000: ", done.err)
        self.assertEqual(self.client.query("long", time=NOW)[0]["value"][1], "5998")

    def test_push_adds_labels_and_knows_the_units_of_influx(self):
        self.push(f"p 1 {NOW}000\n", "--extra-label", "job=node")
        self.push(f"q value=2 {NOW}\n", "--format=influx", "--precision", "s")
        self.assertEqual(len(self.client.query('p{job="node"}', time=NOW)), 1)
        self.assertEqual(len(self.client.query("q_value", time=NOW)), 1)

    def test_push_says_what_was_rejected_and_keeps_the_rest(self):
        done = self.push(f"good 1 {NOW}000\nbad 1 x\n", exit=FAILED)
        self.assertIn("1 rejected; the rest is durable", done.err)
        self.assertEqual(len(self.client.query("good", time=NOW)), 1)
        self.assertIn("push: line 2: ", done.err)
        done = self.push(f"p,f=a value=1 {NOW}\np,f=a value=\n", "--format", "influx",
                         "--precision", "s", exit=FAILED)
        self.assertIn("partial write", done.err)
        self.assertIn("1 rejected; the rest is durable", done.err)
        done = self.push("{", "--format", "json", exit=FAILED)
        self.assertIn("400", done.err)
        self.push("a 1\n", "--format", "xml", exit=USAGE)
        self.cli("push", self.path("absent"), exit=FAILED)

    def test_push_and_queries_keep_to_their_tenant(self):
        self.assertIn("tenants-auto", self.push("a 1\n", "--tenant", "other", exit=FAILED).err)
        self.server.restart("--tenants-auto")
        self.push(f"a 1 {NOW}000\n", "--tenant", "other")
        self.assertEqual(self.cli("series", "--tenant", "other").out, "a\n")
        self.assertEqual(self.cli("series", env={"PERILUNE_TENANT": "other"}).out, "a\n")
        self.assertEqual(self.cli("series").out, "")

    # --- query, series, labels ---

    def three(self):
        self.push("".join(f'heat{{room="{room}"}} {i + k} {(NOW + k * 10) * 1000}\n'
                          for i, room in enumerate(("attic", r'a \"b\", c')) for k in range(31)))

    def test_query_prints_a_table(self):
        self.three()
        out = self.cli("query", "--time", NOW, "heat").out
        self.assertEqual(sorted(re.split(r"  +", line.rstrip())[-1] for line in out.splitlines()),
                         ["0", "1"])
        self.assertIn('heat{room="attic"}', out)
        self.assertEqual(self.cli("query", "-1").out.split(), ["-1"])
        self.assertEqual(self.cli("query", '"text"').out, "text\n")
        out = self.cli("query", "--start", NOW, "--end", NOW + 20, "--step", "10s",
                       'heat{room="attic"}').out
        self.assertEqual([line.split()[-1] for line in out.splitlines()[1:]], ["0", "1", "2"])
        out = self.cli("query", "--range", "20s", "--end", NOW + 20, "--step", "10s",
                       'heat{room="attic"}').out
        self.assertEqual([line.split()[-1] for line in out.splitlines()[1:]], ["0", "1", "2"])

    def test_query_prints_json_csv_and_a_plot(self):
        self.three()
        answer = json.loads(self.cli("query", "--format", "json", "--time", NOW, "heat").out)
        self.assertEqual(answer["status"], "success")
        self.assertEqual(len(answer["data"]["result"]), 2)
        rows = list(csv.DictReader(io.StringIO(
            self.cli("query", "--format", "csv", "--time", NOW, "heat").out)))
        self.assertEqual({(row["series"], float(row["time"]), float(row["value"])) for row in rows},
                         {('heat{room="attic"}', NOW, 0.0),
                          ('heat{room="a \\"b\\", c"}', NOW, 1.0)})
        plot = self.cli("query", "--format", "plot", "--start", NOW, "--end", NOW + 300,
                        'heat{room="attic"}').out.splitlines()
        drawn = [line for line in plot if any("\u2800" < c <= "\u28ff" for c in line)]
        self.assertGreater(len(drawn), 10)
        # It rises: what is drawn in the first line stands right of what is in the last.
        first = [i for i, c in enumerate(drawn[0]) if "\u2800" < c <= "\u28ff"]
        last = [i for i, c in enumerate(drawn[-1]) if "\u2800" < c <= "\u28ff"]
        self.assertGreater(first[0], last[-1])
        self.assertEqual(drawn[0].split()[0], "30")
        self.assertIn('heat{room="attic"}', plot[-1])

    def test_query_refuses_what_does_not_go_together(self):
        for args in (("--time", "1", "--range", "1h"), ("--range", "1h", "--start", "1"),
                     ("--end", "1"), ("--step", "1m"), ("--format", "xml"), ("--time", "noon"),
                     ("--range", "long")):
            self.cli("query", *args, "up", exit=USAGE)
        self.cli("query", exit=USAGE)
        self.cli("query", "a", "b", exit=USAGE)
        self.assertIn("400", self.cli("query", "sum(", exit=FAILED).err)

    def test_series_and_labels_are_listed_one_a_line(self):
        self.push(f'a{{x="1"}} 1 {NOW}000\na{{x="2"}} 1 {NOW}000\nb 1 {NOW}000\n')
        self.assertEqual(sorted(self.cli("series").out.splitlines()),
                         ['a{x="1"}', 'a{x="2"}', "b"])
        self.assertEqual(self.cli("series", 'a{x="2"}', "b").out.splitlines(), ['a{x="2"}', "b"])
        self.assertEqual(self.cli("series", "--start", NOW + 3600).out, "")
        self.assertEqual(len(self.cli("series", "--limit", "2").out.splitlines()), 2)
        self.assertEqual(self.cli("labels").out.splitlines(), ["__name__", "x"])
        self.assertEqual(self.cli("labels", "x").out.splitlines(), ["1", "2"])
        self.assertEqual(self.cli("labels", "x", 'a{x="2"}').out.splitlines(), ["2"])

    # --- export, import ---

    def test_export_and_import_are_bit_exact(self):
        payload = struct.unpack("<d", struct.pack("<Q", 0x7ff8000000000000))[0]
        values = [0.0, -0.0, 1.0, -1.5, 0.1, 1e-310, 5e-324, 1.7976931348623157e308, 2.0 ** 53 + 2,
                  0.1 + 0.2, float("inf"), float("-inf"), payload, STALE, 21.5]
        ms = NOW * 1000
        labels = {"__name__": "odd", "text": 'a"b\\c\nd\u00e9\U0001f600'}
        self.client.push({"series": [{"labels": labels, "t": [ms + i for i in range(len(values))],
                                      "v": values}]})
        many = list(range(25_000))
        self.client.push({"series": [{"labels": {"__name__": "many"}, "t": [ms + i for i in many],
                                      "v": many}]})
        text = self.cli("export").stdout
        self.assertEqual(len(text.splitlines()), 4)  # long series in lines of 10,000
        found = [json.loads(line) for line in self.cli("export", "odd").out.splitlines()]
        self.assertEqual([one["labels"] for one in found], [labels])
        with open(self.path("x.jsonl"), "wb") as f:
            f.write(text)

        other = perilune.Server()
        self.addCleanup(other.remove)
        self.addCleanup(other.kill)
        self.cli("import", "--url", other.url, self.path("x.jsonl"))
        self.cli("import", "--url", other.url, stdin=text)
        for flush in (False, True):
            if flush:
                other.client.expect("flush", other.client.post("/api/v1/admin/flush", b""))
            again = self.cli("export", "--url", other.url)
            self.assertEqual(sorted(again.stdout.splitlines()), sorted(text.splitlines()))
        got = {one["metric"]["__name__"]: one for one in
               other.client.query('{__name__="many"}[1h]', time=NOW + 60)}
        self.assertEqual(len(got["many"]["values"]), 25_000)
        back = json.loads(self.cli("export", "--url", other.url, "odd").out)
        names = {"NaN": payload, "stale": STALE, "+Inf": float("inf"), "-Inf": float("-inf")}
        exact = [names[v] if isinstance(v, str) else float(v) for v in
                 json.loads(json.dumps(back["v"]))]
        text_values = re.search(r'"v":\[(.*)\]', self.cli("export", "--url", other.url,
                                                          "odd").out).group(1).split(",")
        self.assertEqual(text_values[1], "-0")
        self.assertEqual(bits(exact[2:]), bits(values[2:]))
        self.assertEqual(back["t"], [ms + i for i in range(len(values))])

    def test_export_takes_a_range_and_says_when_it_cannot_begin(self):
        self.push("".join(f"e {i} {(NOW + i) * 1000}\n" for i in range(10)))
        line = json.loads(self.cli("export", "--start", NOW + 3, "--end", NOW + 5, "e").out)
        self.assertEqual(line["v"], [3, 4, 5])
        done = self.cli("export", "e{", exit=FAILED)
        self.assertEqual(done.out, "")
        self.assertIn("match[]", done.err)

    def test_import_keeps_what_came_before_a_cut_line(self):
        line = json.dumps({"labels": {"__name__": "c"}, "t": [NOW * 1000], "v": [1]})
        self.assertIn("1 rejected", self.cli("import", stdin=(line + "\n" + line[:20]).encode(),
                                             exit=FAILED).err)
        self.assertEqual(len(self.client.query("c", time=NOW)), 1)

    # --- backup, restore, check-store ---

    def test_a_backup_is_checked_restored_and_served(self):
        self.three()
        before = sorted(self.cli("export").stdout.splitlines())
        self.cli("backup", self.path("b"))
        self.push(f"later 1 {NOW}000\n")
        self.assertIn("no damage", self.cli("check-store", self.path("b")).out)
        self.cli("restore", self.path("b"), self.path("d"))
        self.cli("restore", self.path("b"), self.path("d"), exit=FAILED)
        self.cli("restore", self.path("absent"), self.path("d2"), exit=FAILED)
        other = perilune.Server(data=self.path("d"))
        self.addCleanup(other.kill)
        self.addCleanup(other.remove)
        after = sorted(self.cli("export", "--url", other.url).stdout.splitlines())
        self.assertEqual(after, before)
        self.cli("backup", self.path("b"))  # incremental
        self.cli("restore", self.path("b"), self.path("d3"))
        third = perilune.Server(data=self.path("d3"))
        self.addCleanup(third.kill)
        self.addCleanup(third.remove)
        self.assertEqual(self.cli("series", "--url", third.url, "later").out, "later\n")
        self.cli("backup", self.server.data, exit=FAILED)  # never into a data directory
        self.cli("backup", exit=USAGE)

    def test_check_store_finds_a_flipped_bit_and_exits_with_4(self):
        self.three()
        self.client.expect("compact", self.client.post("/api/v1/admin/compact", b""))
        self.assertEqual(self.server.stop(), 0)
        self.cli("check-store", self.server.data)
        found = [os.path.join(top, "data.mdb") for top, _, files in os.walk(self.server.data)
                 if "data.mdb" in files and re.search(r"(hot|sealed)-", top)]
        self.assertTrue(found)
        with open(found[0], "r+b") as f:
            body = f.read()
            at = max(i for i, byte in enumerate(body) if byte)
            f.seek(at)
            f.write(bytes([body[at] ^ 1]))
        done = self.cli("check-store", self.server.data, exit=DAMAGE)
        self.assertIn(os.path.basename(os.path.dirname(found[0])), done.out)
        self.assertRegex(done.out, r"\d+ findings")
        self.cli("check-store", self.path("absent"), exit=FAILED)
        self.cli("check-store", exit=USAGE)

    # --- help, completion, exit codes ---

    def test_help_lists_every_command_and_each_has_its_own(self):
        for help_ in (self.cli("--help").out, self.cli("help").out):
            self.assertEqual(tuple(re.findall(r"^  ([a-z-]+) {2,}\S", help_, re.MULTILINE)),
                             COMMANDS)
        for command in COMMANDS:
            self.assertIn(f"perilune {command}", self.cli(command, "--help").out)
        self.assertIn("Usage", self.cli(exit=USAGE).err)

    def test_version_says_which(self):
        said = self.cli("version").out
        self.assertRegex(said, r"^perilune \d+\.\d+\.\d+ \(\S+\)\n$")
        self.assertEqual(self.cli("--version").out, said)
        self.cli("version", "now", exit=USAGE)

    def test_what_is_nearly_right_is_guessed(self):
        for args, guess in ((("qery",), "did you mean query"),
                            (("query", "--fromat", "csv", "x"), "did you mean --format"),
                            (("serve", "--dta", "x"), "did you mean --data"),
                            (("push", "--tennant=x"), "did you mean --tenant")):
            self.assertIn(guess, self.cli(*args, exit=USAGE).err)
        self.assertIn("--help", self.cli("frobnicate", exit=USAGE).err)

    def test_a_server_that_is_not_there_is_exit_3(self):
        nowhere = f"http://127.0.0.1:{perilune.free_port()}"
        for args in (("query", "up"), ("series",), ("labels",), ("export",),
                     ("backup", self.path("b"))):
            done = self.cli(*args, "--url", nowhere, exit=UNREACHABLE)
            self.assertIn(nowhere, done.err)
        self.push("a 1\n", "--url", nowhere, exit=UNREACHABLE)
        self.cli("import", "--url", nowhere, stdin=b"{}\n", exit=UNREACHABLE)

    def complete(self, *words):
        """What bash offers for the last of the words."""
        shell = shutil.which("bash")
        if not shell:
            self.skipTest("no bash")
        script = ('source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _perilune; '
                  'printf "%s\\n" "${COMPREPLY[@]}"')
        with open(self.path("completion"), "wb") as f:
            f.write(self.cli("completion", "bash").stdout)
        done = subprocess.run([shell, "--norc", "-c", script, "bash", self.path("completion"),
                               "perilune", *words], capture_output=True, text=True, timeout=20,
                              cwd=self.directory, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return [word for word in done.stdout.splitlines() if word]

    def test_bash_completes_commands_options_and_their_values(self):
        self.assertEqual(self.complete(""), list(COMMANDS))
        self.assertEqual(self.complete("ex"), ["export"])
        self.assertEqual(self.complete("query", "--format", "c"), ["csv"])
        self.assertEqual(self.complete("push", "--format", "in"), ["influx"])
        self.assertEqual(self.complete("serve", "--durability", ""), ["disk", "process"])
        self.assertEqual(self.complete("serve", "--log-f"), ["--log-format"])
        self.assertEqual(self.complete("completion", "z"), ["zsh"])
        self.assertIn("completion", self.complete("check-store", "comp"))  # a file

    def test_completion_offers_exactly_the_options_of_help(self):
        for command in COMMANDS:
            wanted = re.findall(r"^  (--[a-z-]+)", self.cli(command, "--help").out, re.MULTILINE)
            self.assertEqual(sorted(self.complete(command, "--")),
                             sorted(wanted) or ["--help"], command)

    def test_zsh_completion_is_read_by_zsh(self):
        text = self.cli("completion", "zsh").out
        self.assertTrue(text.startswith("#compdef perilune\n"))
        self.cli("completion", "fish", exit=USAGE)
        if not shutil.which("zsh"):
            self.skipTest("no zsh")
        with open(self.path("_perilune"), "w", encoding="utf-8") as f:
            f.write(text)
        subprocess.run(["zsh", "-fc", f"autoload -U compinit; compinit -u -d {self.path('dump')};"
                        f" source {self.path('_perilune')}"], check=True, timeout=20)


class Settings(CliCase):
    """Flags over the environment over files over defaults."""

    def yaml(self, text, name="c.yaml"):
        with open(self.path(name), "w", encoding="utf-8") as f:
            f.write(text)
        return self.path(name)

    def flags(self, *args, env=None):
        server = perilune.Server(*args, env=env)
        try:
            return server.client.api("/api/v1/status/flags")
        finally:
            server.kill()
            server.remove()

    def refused(self, *args, env=None):
        return self.cli("serve", "--data", self.path("never"), *args, env=env, exit=USAGE).err

    def test_flags_win_over_the_environment_over_files(self):
        first = self.yaml("retention: 1d\nloops: 3\nmax-series: 10\nquery-timeout: 5s\n")
        later = self.yaml("loops: 1\n", "d.yaml")
        found = self.flags("--config", first, f"--config={later}", "--retention", "3d",
                           env={"PERILUNE_RETENTION": "2d", "PERILUNE_MAX_SERIES": "20"})
        self.assertEqual([found[key] for key in ("retention", "max-series", "loops",
                                                 "query-timeout", "future-limit")],
                         ["3d", "20", "1", "5s", "1d"])
        found = self.flags(env={"PERILUNE_CONFIG": first, "PERILUNE_RETENTION": "2d"})
        self.assertEqual((found["retention"], found["loops"]), ("2d", "3"))

    def test_what_is_wrong_in_a_file_is_refused_at_its_line_and_column(self):
        name = self.path("c.yaml")
        for text, where, what in (
                ("loops: 1\n\nretension: 1d\n", "3:1", "did you mean retention"),
                ("loops: 1\nretention:   soon\n", "2:14", "is not a duration"),
                ("loops: [1]\n", "1:8", "one value"),
                ("loops: 1\nloops: 2\n", "2:1", "twice"),
                ("scrape_configs: []\n", "1:1", "Prometheus"),
                ("a: 'b\n", "", "not YAML")):
            self.yaml(text)
            said = self.refused("--config", name)
            self.assertIn(f"{name}:{where}", said)
            self.assertIn(what, said)
        self.assertIn("cannot be read", self.refused("--config", self.path("absent")))

    def test_what_is_wrong_elsewhere_is_refused_by_name(self):
        self.assertIn("PERILUNE_LOOPS", self.refused(env={"PERILUNE_LOOP": "1"}))
        self.assertIn("PERILUNE_LOOPS", self.refused(env={"PERILUNE_LOOPS": "many"}))
        self.assertIn("disk|process", self.refused("--durability", "memory"))
        self.assertIn("needs a value", self.refused("--loops"))
        self.assertIn("unexpected", self.refused("data"))

    def test_serve_that_cannot_start_is_exit_1(self):
        self.cli("serve", "--data", self.server.data, "--http", "127.0.0.1:0", exit=FAILED)
        self.cli("serve", "--data", self.path("d"), "--http", f"127.0.0.1:{self.server.port}",
                 exit=FAILED)


if __name__ == "__main__":
    perilune.main()
