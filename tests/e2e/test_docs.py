#!/usr/bin/env python3
# quick
"""The documentation is true: what it shows runs, and what it lists is what there is.

In README.md and docs/*.md a block of shell behind a line `<!-- run -->` is run by bash -eu against a
fresh server, one for each file: in a directory of its own, with $URL, and with `perilune` on the
PATH. A block behind `<!-- prints -->` is what the block before it wrote to standard output, where
`...` stands for anything.
"""
import glob
import os
import re
import subprocess

import perilune

FILES = [os.path.join(perilune.ROOT, "README.md"),
         *sorted(glob.glob(os.path.join(perilune.ROOT, "docs", "*.md")))]
BLOCK = re.compile(r"^<!-- (run|prints) -->\n```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def read(name):
    with open(os.path.join(perilune.ROOT, name), encoding="utf-8") as f:
        return f.read()


def blocks(text):
    """[(line, script, what it prints or None)]"""
    out = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        kind, language, body = match.groups()
        if kind == "run":
            if language != "sh":
                raise AssertionError(f"line {line}: what is run is a block ```sh")
            out.append((line, body, None))
        else:
            if not out or out[-1][2] is not None:
                raise AssertionError(f"line {line}: nothing before it is run")
            out[-1] = (*out[-1][:2], body)
    if len(BLOCK.findall(text)) != len(re.findall(r"^<!-- (?:run|prints) -->", text, re.MULTILINE)):
        raise AssertionError("a mark without a block right behind it")
    return out


def matches(wanted, printed):
    """Line by line, `...` stands for anything; blanks at the ends of lines do not count."""
    wanted, printed = ([line.rstrip() for line in text.rstrip().splitlines()]
                       for text in (wanted, printed))
    pattern = "\n".join(".*".join(map(re.escape, line.split("..."))) for line in wanted)
    return re.fullmatch(pattern, "\n".join(printed)) is not None


class Tools(perilune.unittest.TestCase):
    def test_blocks_are_found_with_what_they_print(self):
        text = ("a\n<!-- run -->\n```sh\necho 1\necho 2\n```\n\n<!-- prints -->\n```\n1\n```\n"
                "```sh\nnot this\n```\n<!-- run -->\n```sh\ntrue\n```\n")
        self.assertEqual(blocks(text), [(2, "echo 1\necho 2\n", "1\n"), (15, "true\n", None)])
        for bad in ("<!-- prints -->\n```\n1\n```\n", "<!-- run -->\n\n```sh\n1\n```\n",
                    "<!-- run -->\n```c\n1\n```\n"):
            with self.assertRaises(AssertionError):
                blocks(bad)

    def test_three_dots_stand_for_anything_within_a_line(self):
        self.assertTrue(matches("a ... (c)\n", "a b b (c)  \n"))
        self.assertFalse(matches("a ... (c)\n", "a\nb (c)\n"))
        self.assertFalse(matches("a\n", "ab\n"))


class Run(perilune.unittest.TestCase):
    def run_file(self, path):
        found = blocks(read(path))
        if not found:
            return
        with perilune.Server() as server:
            work = os.path.join(server.directory, "work")
            os.mkdir(work)
            env = perilune.clean_environment(
                URL=server.url, PERILUNE_URL=server.url, HOME=work,
                PATH=os.path.dirname(perilune.BINARY) + os.pathsep + os.environ["PATH"])
            for line, script, prints in found:
                with self.subTest(f"{os.path.relpath(path, perilune.ROOT)}:{line}"):
                    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=work,
                                          env=env, capture_output=True, text=True, timeout=60,
                                          stdin=subprocess.DEVNULL, check=False)
                    self.assertEqual(done.returncode, 0, script + done.stdout + done.stderr)
                    if prints is not None:
                        self.assertTrue(matches(prints, done.stdout),
                                        f"{script}--- printed:\n{done.stdout}{done.stderr}")

    def test_what_is_marked_runs_and_prints_what_is_said(self):
        for path in FILES:
            self.run_file(path)


class Lists(perilune.ServerCase):
    def test_the_settings_are_those_of_help(self):
        flag = re.compile(r"^  --([a-z-]+)(?: ([A-Z:]+|\S*[|]\S*))? +(.*?)(?: \[([^\[\]]*)\])?$")
        text = perilune.run("serve", "--help").stdout.decode()
        wanted, group = [], None
        for line in text.splitlines():
            match = flag.match(line)
            if match and match[1] not in ("config", "help"):
                wanted.append((group, match[1], match[2] or "", match[4] or "", match[3]))
            elif re.fullmatch(r"[A-Z][A-Za-z]+", line):
                group = line
        self.assertGreater(len(wanted), 30)
        found, group = [], None
        section = read("docs/operations.md").split("\n## Settings\n")[1].split("\n## ")[0]
        for line in section.splitlines():
            if line.startswith("### "):
                group = line[4:]
            row = [cell.strip().replace("\\|", "|")
                   for cell in re.split(r"(?<!\\)\|", line.strip("|"))]
            match = re.fullmatch(r"`--([a-z-]+)(?: (\S+))?`", row[0])
            if match:
                found.append((group, match[1], match[2] or "", row[1].strip("`"), row[2]))
        self.assertEqual(found, wanted)

    def test_every_endpoint_is_described_and_nothing_else(self):
        page = self.client.get("/").text
        routes = re.findall(r"<tr><td>([A-Z ]+)</td><td>.*?<code>(?:<[^>]*>)?([^<]+)", page)
        self.assertGreater(len(routes), 20)
        text = read("docs/http-api.md")
        described = set(re.findall(r"[`\s](/[A-Za-z0-9_/<>*-]*)", text))
        for _, path in routes:
            self.assertIn(path.replace("*", "<name>"), described)
        known = {path.replace("*", "<name>") for _, path in routes}
        for path in described:
            if path.startswith(("/api", "/-")):
                self.assertIn(path, known, "described, but not there")

    def test_every_function_and_aggregation_of_promql_is_named(self):
        functions = read("core/query/functions.inc") + read("core/query/functions_ext.inc")
        names = re.findall(r'^FN\("(\w+)"', functions, re.MULTILINE)
        names += re.findall(r'^    X\(\w+, "(\w+)", \w+\)',
                            read("core/query/ast.h").split("PL__AGGS(X)")[1], re.MULTILINE)
        self.assertGreater(len(names), 190)
        words = set(re.findall(r"[a-z0-9_]+", read("docs/promql.md")))
        families = {"bottomk_max", "bottomk_min", "bottomk_last", "bottomk_median"}
        self.assertEqual(set(names) - words - families, set())

    def test_every_metric_that_is_named_is_there(self):
        there = self.client.get("/metrics").text
        families = set(re.findall(r"^# TYPE (\S+) ", there, re.MULTILINE))
        for path in FILES:
            for name in re.findall(r"\b(perilune_[a-z_]+)(?=[`{\[\]) =]|$)", read(path)):
                base = re.sub(r"_(bucket|sum|count)$", "", name)
                self.assertTrue(name in families or base in families,
                                f"{os.path.basename(path)}: {name}")

    def test_every_alert_is_an_expression_that_the_server_reads(self):
        section = read("docs/operations.md").split("\n## What to alert on\n")[1].split("\n## ")[0]
        found = re.findall(r"^\| `([^`]+)` \|", section, re.MULTILINE)
        self.assertGreater(len(found), 8)
        self.client.push_text(self.client.get("/metrics").text)
        for expression in found:
            self.client.query(expression)
            for name in re.findall(r"perilune_[a-z_]+(?:\{[^}]*\})?", expression):
                labels = re.sub(r'="[^"]*"', '=~".*"', name)
                self.assertTrue(self.client.query(labels), name)

    def test_every_command_has_its_heading_and_every_link_a_target(self):
        commands = re.findall(r"^  ([a-z-]+) {2,}\S", perilune.run("--help").stdout.decode(),
                              re.MULTILINE)
        headings = re.findall(r"^## (.*)$", read("docs/cli.md"), re.MULTILINE)
        for command in commands:
            self.assertTrue(any(command in re.split(r"[,\s]+", heading) for heading in headings),
                            command)
        for path in FILES + glob.glob(os.path.join(perilune.ROOT, "docs", "decisions", "*.md")):
            text = read(path)
            for target, anchor in re.findall(r"\]\(([^)#:\s]*)(?:#([^)]*))?\)", text):
                there = os.path.join(os.path.dirname(path), target) if target else path
                self.assertTrue(os.path.exists(there), f"{path}: {target}")
                if anchor:
                    anchors = [re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-")
                               for h in re.findall(r"^#+ (.*)$", read(there), re.MULTILINE)]
                    self.assertIn(anchor, anchors, f"{path}: {target}#{anchor}")


if __name__ == "__main__":
    perilune.main()
