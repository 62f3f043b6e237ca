#!/usr/bin/env python3
"""The same random PromQL over the same nasty data here and in the real Prometheus 2.42: what
differs is made as small as it still differs, and printed.

    ./dev peers prometheus
    tests/promql/differential.py [-n 5000] [--seed 1] [-v]

Exit status 1 when anything differs that is not by a named rule a documented change of Prometheus 3.
generate.py says what is left out by construction. Only the standard library.
"""
import argparse
import collections
import itertools
import json
import math
import os
import random
import struct
import sys
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "e2e", "lib")]

import generate  # noqa: E402
import peers     # noqa: E402
import perilune  # noqa: E402
import wire      # noqa: E402

RELATIVE = 1e-6
ABSOLUTE = 1e-9
STALE = struct.unpack("<d", struct.pack("<Q", generate.STALE))[0]


def send(client, series, halfway=lambda: None):
    """In slices of time: Prometheus takes no sample much older than its newest."""
    slice_ms = 900_000
    for start in range(generate.BASE_MS, generate.BASE_MS + generate.SPAN_S * 1000, slice_ms):
        part = []
        for labels, points in series:
            inside = [(t, STALE if v == "stale" else v) for t, v in points
                      if start <= t < start + slice_ms]
            if inside:
                part.append((labels, inside))
        client.remote_write(part)
        if 0 <= start + slice_ms - generate.BASE_MS - generate.SPAN_S * 500 < slice_ms:
            halfway()


def ask(client, text, when):
    """("error", type) or (resultType, {labels: {ms: float}})."""
    if isinstance(when, tuple):
        path = "/api/v1/query_range"
        parameters = {"start": when[0] / 1000, "end": when[1] / 1000, "step": when[2] / 1000}
    else:
        path, parameters = "/api/v1/query", {"time": when / 1000}
    body = urllib.parse.urlencode({"query": text, **{k: f"{v:.3f}" for k, v in parameters.items()}})
    reply = client.request("POST", path, body,
                           {"Content-Type": "application/x-www-form-urlencoded"}).json
    if reply["status"] != "success":
        return "error", reply["errorType"], reply["error"]
    kind, result = reply["data"]["resultType"], reply["data"]["result"]
    if kind == "scalar":
        return kind, {(): samples([result])}, ""
    if kind == "string":
        return f"string {result[1]!r}", {}, ""
    out = {}
    for one in result:
        key = tuple(sorted(one["metric"].items()))
        if key in out:
            return "twice", key, ""
        found = samples(points(one, "value")) | histograms(points(one, "histogram"))
        if found:                  # 2.42 names series of a subquery that have no sample
            out[key] = found
    return kind, out, ""


def points(one, what):
    return one.get(what + "s", []) + ([one[what]] if what in one else [])


def samples(pairs):
    return {round(t * 1000): float(v) for t, v in pairs}


def histograms(pairs):
    """A histogram is a dict: "count", "sum", and each bucket's count by its bounds."""
    return {round(t * 1000): {
        "count": float(h["count"]), "sum": float(h["sum"]),
        **{(side, float(low), float(high)): float(count)
           for side, low, high, count in h.get("buckets", [])}} for t, h in pairs}


def same_number(a, b):
    if isinstance(a, dict) or isinstance(b, dict):
        if not (isinstance(a, dict) and isinstance(b, dict)):
            return False
        least = RELATIVE * max(abs(a["count"]), abs(b["count"]))  # what cancels out is not there
        return all(math.isclose(a.get(k, 0.0), b.get(k, 0.0), rel_tol=RELATIVE, abs_tol=least)
                   for k in a.keys() | b.keys())
    return (a == b or (math.isnan(a) and math.isnan(b))
            or math.isclose(a, b, rel_tol=RELATIVE, abs_tol=ABSOLUTE))


def difference(ours, theirs):
    """The first difference in words, or None."""
    if ours[0] != theirs[0]:
        return f"{ours[0]} {ours[2]}, not {theirs[0]} {theirs[2]}"
    if ours[0] in ("error", "twice"):
        return None if ours[1] == theirs[1] else f"{ours[1:]}, not {theirs[1:]}"
    for key in sorted(set(ours[1]) | set(theirs[1])):
        a, b = ours[1].get(key), theirs[1].get(key)
        if a is None or b is None:
            return f"{dict(key)}: {'missing' if a is None else 'invented'}, {a or b}"[:400]
        for t in sorted(set(a) | set(b)):
            if t not in a or t not in b:
                return f"{dict(key)} at {t}: {a.get(t, 'nothing')}, not {b.get(t, 'nothing')}"
            if not same_number(a[t], b[t]):
                return f"{dict(key)} at {t}: {a[t]!r}, not {b[t]!r}"
    return None


class Pair:
    """Both servers with the same data; the older half of ours in partitions, the rest in memory."""

    def __init__(self, seed):
        self.ours = perilune.Server("--retention", "0", "--durability", "process")
        self.theirs = peers.prometheus({}, receiver=True,
                                       flags=["--enable-feature=native-histograms"])
        series = generate.data(random.Random(seed))
        send(self.theirs.client, series)
        send(self.ours.client, series, lambda: self.ours.client.expect(
            "flush", self.ours.client.post("/api/v1/admin/flush", b"")))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.theirs.close()
        self.ours.__exit__(*error)

    def difference(self, text, when):
        return difference(ask(self.ours.client, text, when), ask(self.theirs.client, text, when))

    def minimise(self, node, when, limit=400):
        """(Node, when, difference) that is as small as it still differs."""
        tries, found, shrunk = 0, self.difference(node.text(), when), True
        while shrunk and tries < limit:
            shrunk = False
            if isinstance(when, tuple):
                starts = range(when[0], when[1] + 1, when[2])
                for moment in starts:
                    tries += 1
                    now = self.difference(node.text(), moment)
                    if now:
                        when, found, shrunk = moment, now, True
                        break
            vectors = (n for n in node.below() if n.type == "v" and node.type != "v")
            for less in itertools.chain(node.smaller(), vectors):
                tries += 1
                now = self.difference(less.text(), when) if tries < limit else None
                if now:
                    node, found, shrunk = less, now, True
                    break
        return node, when, found


def run(count, seed, verbose):
    rng = random.Random(seed)
    generator = generate.Generator(rng)
    kinds, wrong, allowed = collections.Counter(), [], collections.Counter()
    with Pair(seed) as pair:
        for i in range(count):
            node, when = generator.query()
            text = node.text()
            theirs = ask(pair.theirs.client, text, when)
            ours = ask(pair.ours.client, text, when)
            kinds["errors" if theirs[0] == "error" else "values" if theirs[1] else "empty"] += 1
            if not difference(ours, theirs):
                continue
            least, at, what = pair.minimise(node, when)
            named = rule(pair, least, at)
            if named:
                allowed[named] += 1
                continue
            wrong.append(i)
            print(f"--- query {i} at {when}\n    {text}\n  least, at {at}:\n    {least.text()}\n"
                  f"  {what}", flush=True)
            if verbose:
                print(json.dumps([str(x) for x in (ours, theirs)])[:4000])
    print(f"{count} queries of seed {seed}: {len(wrong)} differ; "
          f"{', '.join(f'{n} {k}' for k, n in sorted(kinds.items()))}"
          + "".join(f"; {n} by the rule: {k}" for k, n in sorted(allowed.items())))
    return wrong


# --- what Prometheus 3 documents to do otherwise than 2.42 ---

def ties(pair, node, when):
    """topk and bottomk: of equal values any may be taken; Prometheus takes them by the order of its
    index, which is arbitrary. The values are the same."""
    if node.form[0] not in ("topk", "bottomk"):
        return False
    columns = [collections.defaultdict(list) for _ in range(2)]
    for column, client in zip(columns, (pair.ours.client, pair.theirs.client)):
        for points in ask(client, node.text(), when)[1].values():
            for t, v in points.items():
                column[t].append(v)
    ours, theirs = ({t: sorted(c[t], key=lambda v: (math.isnan(v), v)) for t in c} for c in columns)
    return set(ours) == set(theirs) and all(
        len(ours[t]) == len(theirs[t]) and all(map(same_number, ours[t], theirs[t])) for t in ours)


def lone_deviation(pair, node, when):
    """stddev and stdvar of one NaN or infinite value are NaN; they were 0."""
    if (node.kids[0] if node.subquery else node).form[0] not in ("stddev", "stdvar"):
        return False
    ours, theirs = (ask(c, node.text(), when)[1] for c in (pair.ours.client, pair.theirs.client))
    if set(ours) != set(theirs):
        return False
    return all(same_number(v, theirs[key][t]) or (math.isnan(v) and theirs[key][t] == 0)
               for key, points in ours.items() for t, v in points.items())


def filtered_matches(pair, node, when):
    """Several series match one, and a comparison would filter them: an error (3.9, pull request
    17668). With bool nothing is filtered, and 2.42 finds the error too."""
    if "bool" not in node.parts or node.parts["bool"]:
        return False
    ours = ask(pair.ours.client, node.text(), when)
    theirs = ask(pair.theirs.client, node.with_part("bool", "bool ").text(), when)
    return ours[0] == theirs[0] == "error" and ours[2].split("[")[0] == theirs[2].split("[")[0]


def extrapolated(samples_of, start, end, per_second, newer):
    """rate or increase of [(ms, value)] as 2.42 has it, or as newer: how far a range is stretched
    to its start is limited to half an interval first, and to where the counter was 0 then."""
    (first_t, first), (last_t, last) = samples_of[0], samples_of[-1]
    result = last - first + sum(a for (_, a), (_, b) in zip(samples_of, samples_of[1:]) if b < a)
    span = (last_t - first_t) / 1000
    average = span / (len(samples_of) - 1)
    before, after = (first_t - start) / 1000, (end - last_t) / 1000
    if newer and before >= average * 1.1:
        before = average / 2
    if result > 0 and first >= 0:
        before = min(before, span * (first / result))
    before = before if before < average * 1.1 else average / 2
    after = after if after < average * 1.1 else average / 2
    stretched = result * ((span + before + after) / span)
    return stretched / ((end - start) / 1000) if per_second else stretched


def counter_begins(pair, node, when):
    """Where a window begins in a gap and the counter was small, rate and increase are stretched by
    another rule: both values are recomputed."""
    if node.form[0] not in ("rate(", "increase(") or isinstance(when, tuple):
        return False
    ours, theirs = (ask(c, node.text(), when)[1] for c in (pair.ours.client, pair.theirs.client))
    if set(ours) != set(theirs):
        return False

    def milliseconds(text):
        return round(1000 * float(pair.ours.client.query(text)[1]))

    matrix = node.kids[0]
    window = next(p for p in matrix.form if isinstance(p, str) and p.startswith("["))
    at = matrix.parts["at"].removeprefix(" @ ")
    end = milliseconds(at) if at[:1].isdigit() else when
    if matrix.parts["offset"]:
        end -= milliseconds(matrix.parts["offset"].removeprefix(" offset "))
    start = end - milliseconds(window[1:-1].split(":")[0])
    for key, points in ask(pair.ours.client, matrix.text(), when)[1].items():
        key = tuple((k, v) for k, v in key if k != "__name__")
        points = sorted(points.items())
        if len(points) < 2:
            continue
        for found, newer in ((ours, True), (theirs, False)):
            value = extrapolated(points, start, end, node.form[0] == "rate(", newer)
            if not same_number(found[key][when], value):
                return False
    return True


def names_go_late(pair, node, when):
    """Names go from the result: series that differ by the name alone are an error there, not below an
    aggregation (promql-delayed-name-removal)."""
    ours, theirs = (ask(c, node.text(), when) for c in (pair.ours.client, pair.theirs.client))
    return theirs[0] == "error" and "same labelset" in theirs[2] and ours[0] != "error"


RULES = {
    "names go from the result": names_go_late,
    "extrapolation where a counter begins": counter_begins,
    "ties in topk or bottomk": ties,
    "stddev of one NaN or Inf": lone_deviation,
    "matches that a comparison filters": filtered_matches,
}


def rule(pair, node, when):
    """The name of the rule by which a (minimised) query may differ, or None."""
    return next((name for name, holds in RULES.items() if holds(pair, node, when)), None)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("-n", type=int, default=5000, help="queries")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("-v", action="store_true", help="print both results of what differs")
    options = parser.parse_args()
    sys.exit(1 if run(options.n, options.seed, options.v) else 0)


if __name__ == "__main__":
    main()
