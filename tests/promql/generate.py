"""Nasty data and random typed PromQL for differential.py.

What Prometheus 3 says otherwise than 2.42 is left out here by construction:

* A range, a lookback and a subquery begin behind their left edge: samples stand at 100 to 900 ms
  behind a second, evaluation times at 7 ms, ranges, steps and offsets are whole seconds, and a
  subquery in a subquery (whose times are whole seconds) is moved by 7 ms.
* `.` matches a line feed (there is none); labels have plain names; atan2 drops the name of a metric
  (it gets operands without).

A query whose value would turn on the last bits of a sum says nothing (floor(rate(x)), sums that
are compared with ==): such functions get only `exact` operands, computed from quarters by sums,
products, minima, maxima and counts.
"""
import math
import random
import struct

BASE_MS = 1_709_243_400_000        # 2024-02-29T21:50:00Z: a leap day ends in the data
SPAN_S = 8400                      # less than 2 h 20 min: one block of Prometheus' head
STALE = 0x7FF0000000000002         # bits of the staleness marker


# --- data ---

def times(rng, kind):
    """Odd times in ms of one series: regular, jittered, irregular or sparse, with gaps or not."""
    step = rng.choice((5, 10, 15, 30, 60))
    at, out = rng.randrange(0, 300) if rng.random() < 0.3 else 0, []
    gaps = [(g, g + rng.randrange(60, 1500)) for g in
            (rng.randrange(SPAN_S) for _ in range(rng.choice((0, 1, 3))))]
    gaps = [] if kind == "whole" else gaps
    residue = rng.randrange(101, 900, 2)
    while at < SPAN_S:
        if not any(a <= at < b for a, b in gaps):
            jitter = rng.randrange(101, 900, 2) if kind == "jitter" else residue
            out.append(BASE_MS + at * 1000 + jitter)
        at += {"irregular": rng.randrange(1, 120), "sparse": rng.randrange(100, 600)}.get(
            kind, step)
    return out


def counter(rng, kind):
    """Resets to 0 or to a part of the value before; never small for long, so that no
    extrapolation ends at zero (there 3 does otherwise)."""
    value, out = rng.randrange(4000, 90_000) * 0.25, []
    for t in times(rng, kind):
        if rng.random() < 0.008:
            value = float(int(value * 0.6)) if kind != "whole" or rng.random() < 0.6 else 0.0
        elif value == 0:
            value = 3000.0
        else:
            value += rng.choice((0, 0, 1, 2, 7.25, 30))
        out.append((t, value))
    return out


def gauge(rng, kind, odd=0.0):
    value, out = rng.randrange(-400, 400) * 0.25, []
    for t in times(rng, kind):
        if rng.random() < 0.7:
            value += rng.randrange(-20, 21) * 0.25
        shown = value
        if rng.random() < odd:
            shown = rng.choice((math.nan, math.inf, -math.inf, "stale", -0.0, 0.0))
        out.append((t, shown))
    return out


def native(rng, kind, gauge_like=False):
    """Native histograms: buckets that come to be populated, resets; all counts far from zero, so that
    no extrapolation ends there (there 3 does otherwise)."""
    schema, offset, width = rng.choice((0, 1, 3)), rng.randrange(-3, 3), rng.randrange(2, 7)
    counts = [rng.randrange(400, 900) for _ in range(width)]
    negative = [rng.randrange(400, 900) for _ in range(rng.choice((0, 2)))]
    zero, total, out = rng.randrange(400, 900), rng.randrange(4000, 9000) * 0.25, []
    for t in times(rng, kind):
        change = rng.random()
        if change < 0.008:
            counts, negative = [c // 2 for c in counts], [c // 2 for c in negative]
            zero, total = zero // 2, total // 2
        elif change < 0.02 and len(counts) < 9:
            counts.append(rng.randrange(1, 4))
        else:
            for column in (counts, negative):
                for i, c in enumerate(column):
                    column[i] = max(0, c + rng.choice((0, 0, 1, 3)) - (gauge_like and 2))
            zero += rng.choice((0, 1))
            total += rng.randrange(0, 40) * 0.25
        if rng.random() < 0.004:
            out.append((t, {"count": 0, "sum": struct.unpack("<d", struct.pack("<Q", STALE))[0]}))
            continue
        cut = rng.randrange(1, len(counts))          # the same buckets, in one span or two
        spans = [[offset, cut], [0, len(counts) - cut]] if rng.random() < 0.3 else [
            [offset, len(counts)]]
        out.append((t, {
            "schema": schema, "count": sum(counts) + sum(negative) + zero, "sum": total,
            "zero_threshold": 2.0 ** -10, "zero_count": zero, "positive_spans": spans,
            "positive": list(counts), "negative_spans": [[1, len(negative)]] if negative else [],
            "negative": list(negative), "reset": "gauge" if gauge_like else "unknown"}))
    return out


def data(rng):
    """[(labels, [(ms, float, histogram or "stale")])]."""
    out = []
    kinds = ("whole", "plain", "jitter", "irregular", "sparse")

    def add(name, labels, points):
        out.append(({"__name__": name, **labels}, points))

    for job in ("api", "db"):
        for i, instance in enumerate(("a:1", "b:2", "c:3")):
            for code in ("200", "404", "500")[:2 + (job == "api")]:
                add("req_total", {"job": job, "instance": instance, "code": code},
                    counter(rng, rng.choice(kinds[:4])))
            add("err_total", {"job": job, "instance": instance} if i else {"job": job},
                counter(rng, kinds[i]))
            add("build_info", {"job": job, "instance": instance, "version": f"1.{i % 2}"},
                [(t, 1.0) for t in times(rng, "plain")])
    for i, zone in enumerate(("eu", "us", "ü \"\\", "")):
        for kind in kinds:
            labels = {"zone": zone, "kind": kind}
            add("temp", {k: v for k, v in labels.items() if v}, gauge(rng, kind, 0.01 * (i == 3)))
    for kind in ("mixed", "nan", "inf", "const", "ends", "begins", "single"):
        points = gauge(rng, "plain", 0.15)
        if kind in ("nan", "inf", "const"):
            points = [(t, {"nan": math.nan, "inf": math.inf, "const": 12.5}[kind])
                      for t, _ in points]
        elif kind == "ends":
            points = [p for p in gauge(rng, "plain") if p[0] < BASE_MS + SPAN_S * 500]
            points.append((points[-1][0] + 998, "stale"))
        elif kind == "begins":
            points = [p for p in gauge(rng, "plain") if p[0] > BASE_MS + SPAN_S * 500]
        elif kind == "single":
            points = points[len(points) // 2:][:1]
        add("odd", {"kind": kind}, points)
    add("lone", {}, gauge(rng, "jitter"))
    for job in ("api", "db"):
        for instance in ("a:1", "b:2"):
            at = times(rng, "plain")
            totals = {le: 1000.0 for le in ("0.1", "0.5", "1", "2.5", "+Inf")}
            points = {le: [] for le in totals}
            for t in at:
                if rng.random() < 0.004:
                    totals = dict.fromkeys(totals, 700.0)
                grown = 0
                for le in totals:
                    grown += rng.choice((0, 0, 1, 3))
                    totals[le] += grown
                    points[le].append((t, totals[le]))
            for le, column in points.items():
                add("lat_bucket", {"job": job, "instance": instance, "le": le}, column)
            add("lat_count", {"job": job, "instance": instance}, points["+Inf"])
    for job in ("api", "db"):
        for i, instance in enumerate(("a:1", "b:2", "c:3")):
            labels = {"job": job, "instance": instance}
            add("dur", labels, native(rng, rng.choice(kinds)))
            add("size", labels, native(rng, kinds[i], True))
    # No +Inf, not monotonic, a bound that is no number, only one bucket.
    for kind, bounds in (("open", (("1", 100.0), ("2", 200.0))),
                         ("falls", (("1", 300.0), ("2", 200.0), ("4", 500.0), ("+Inf", 450.0))),
                         ("word", (("1", 10.0), ("many", 20.0), ("+Inf", 30.0))),
                         ("one", (("+Inf", 30.0),)), ("empty", (("1", 0.0), ("+Inf", 0.0))),
                         ("below", (("-1", 10.0), ("0", 20.0), ("1e0", 25.0), ("+Inf", 30.0)))):
        for le, value in bounds:
            add("bad_bucket", {"kind": kind, "le": le},
                [(t, value) for t in times(random.Random(kind), "whole")])
    return out


# --- queries ---

class Node:
    """An expression: type v(ector), s(calar), m(atrix), vector of h(istograms), text of strings, positions of `kids`, and
    names of `parts` that may be left out (strings, as ("name",))."""

    def __init__(self, kind, form, kids=(), parts=None, subquery=False):
        self.type, self.form, self.kids = kind, form, list(kids)
        self.parts, self.subquery = dict(parts or {}), subquery

    def text(self, nested=False):
        out = []
        for piece in self.form:
            if isinstance(piece, int):
                out.append(self.kids[piece].text(nested or self.subquery))
            elif isinstance(piece, tuple):
                out.append(self.parts[piece[0]])
            else:
                out.append(piece)
        if self.subquery and nested and not self.parts.get("at"):
            shift = self.parts["offset"]
            out[out.index(shift) if shift else len(out):] = [f"{shift or ' offset '}7ms"]
        return "".join(out)

    def with_kid(self, i, kid):
        kids = list(self.kids)
        kids[i] = kid
        return Node(self.type, self.form, kids, self.parts, self.subquery)

    def with_part(self, name, text):
        return Node(self.type, self.form, self.kids, {**self.parts, name: text}, self.subquery)

    def below(self):
        for kid in self.kids:
            yield kid
            yield from kid.below()

    def smaller(self):
        """Every expression of the same type that is one step simpler."""
        for other in self.below():
            if other.type == self.type:
                yield other
        for name, part in self.parts.items():
            if part:
                yield self.with_part(name, "")
        if self.type == "s" and self.form != ["1"]:
            yield Node("s", ["1"])
        for i, kid in enumerate(self.kids):
            for less in kid.smaller():
                yield self.with_kid(i, less)


NATIVE = ("dur", "size")
COUNTERS = ("req_total", "err_total", "lat_bucket", "lat_count")
LABELS = {"req_total": ("job", "instance", "code"), "err_total": ("job", "instance"),
          "build_info": ("job", "instance", "version"), "temp": ("zone", "kind"),
          "odd": ("kind",), "lone": (), "lat_bucket": ("job", "instance", "le"),
          "lat_count": ("job", "instance"), "bad_bucket": ("kind", "le")}
NATIVE_LABELS = ("job", "instance")
VALUES = {"job": ("api", "db"), "instance": ("a:1", "b:2", "c:3"), "code": ("200", "404", "500"),
          "version": ("1.0", "1.1"), "zone": ("eu", "us", "ü \\\"\\\\"),
          "kind": ("whole", "plain", "jitter", "irregular", "sparse", "mixed", "nan", "inf",
                   "const", "ends", "begins", "falls", "word", "one"),
          "le": ("0.1", "0.5", "1", "+Inf")}
PATTERNS = {"job": ("a.*", "api|db", "[^a].*"), "instance": (".:[12]", "b.+", ".*", ".+"),
            "code": ("2..", "[45]0[04]", "404|500", "(?i)X|200"), "version": ("1\\\\.[01]",),
            "zone": ("e?u.?", "|eu", "ü.*"), "kind": (".*n.*", "w.+|s.+", "const|inf|ends", "i.*r"),
            "le": (".+", "0.*", "[0-9.]+")}
EXACT_OVER_TIME = ("min_over_time", "max_over_time", "sum_over_time", "count_over_time",
                   "last_over_time", "present_over_time", "changes", "resets", "idelta")
OVER_TIME = EXACT_OVER_TIME + ("avg_over_time", "stddev_over_time", "stdvar_over_time", "deriv",
                               "delta", "rate", "increase", "irate", "rate", "increase", "irate")
EXACT_MATH = ("abs", "ceil", "floor", "sgn")
MATH = ("sqrt", "exp", "ln", "log2", "log10", "sin", "cos", "tan", "asin", "acos", "atan", "sinh",
        "cosh", "tanh", "asinh", "acosh", "atanh", "deg", "rad")
DATES = ("minute", "hour", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month",
         "year")


class Generator:
    def __init__(self, rng):
        self.rng = rng
        self.pick = rng.choice
        self.subqueries = 0        # how many stand around

    def chance(self, p):
        return self.rng.random() < p

    def seconds(self, low, high):
        s = self.rng.randrange(low, high)
        return self.pick((f"{s}s", f"{s // 60}m" if s >= 60 else f"{s}s",
                          f"{s // 60}m{s % 60}s" if s >= 60 and s % 60 else f"{s}s"))

    def modifiers(self, p=0.12):
        """Parts of a selector or a subquery."""
        parts = {"offset": "", "at": ""}
        if self.chance(p):
            parts["offset"] = f" offset {self.pick(('', '', '-'))}{self.seconds(1, 1800)}"
        if self.chance(p / 2):
            at = BASE_MS // 1000 + self.rng.randrange(300, SPAN_S + 300)
            parts["at"] = " @ " + self.pick((f"{at}.007", "start()", "end()"))
        return parts

    def matcher(self, label):
        op = self.pick(("=", "=", "!=", "=~", "=~", "!~"))
        value = self.pick(VALUES[label] + ("", "none")) if op in ("=", "!=") else self.pick(
            PATTERNS[label])
        return f'{label}{op}"{value}",'

    def selector(self, names=None, kind="v", window=None):
        name = self.pick(names or tuple(LABELS))
        labels = LABELS[name]
        parts = self.modifiers()
        count = self.pick((0, 0, 0, 1, 1, 2)) if labels else 0
        for i in range(count):
            parts[f"m{i}"] = self.matcher(self.pick(labels))
        by_name = not names and self.chance(0.05)
        head = ['{__name__=~"', self.pick((name, f"{name}|lone", "t.m.+", "(lat|req)_.*")), '",'] \
            if by_name else [name, "{"]
        node = Node(kind, head + [(f"m{i}",) for i in range(count)] +
                    ["}", window or "", ("offset",), ("at",)], (), parts)
        node.name, node.labels = name, labels
        return node

    def matrix(self, depth, exact, counters=False, low=20):
        if depth <= 0 or self.chance(0.72):
            names = COUNTERS if counters and self.chance(0.9) else None
            return self.selector(names, "m", f"[{self.seconds(low, 1800)}]")
        self.subqueries += 1
        inner = self.vector(depth - 1, exact)
        self.subqueries -= 1
        step = self.pick(("", "7s", "10s", "15s", "30s", "1m", "90s", "5m"))
        # Without a step in the range, 2.42 takes one behind it for what does not change with time.
        low = 300 if " @ " in inner.text() else 60
        return Node("m", [0, f"[{self.seconds(low, 2400)}:{step}]", ("offset",), ("at",)], [inner],
                    self.modifiers(), True)

    def scalar(self, depth):
        number = self.pick(("0", "1", "2", "-1", "0.5", "3", "100", "1e3", "0x1F", "Inf", "NaN"))
        if depth <= 0 or self.chance(0.7):
            return Node("s", [number])
        return self.pick((
            lambda: Node("s", ["scalar(", 0, ")"], [self.vector(depth - 1, True)]),
            lambda: Node("s", ["scalar(lone)"]),
            lambda: Node("s", ["time()"]),
            lambda: Node("s", ["pi()"]),
            lambda: Node("s", ["(", 0, self.pick((" + ", " * ", " - ", " == bool ", " > bool ",
                                                  " <= bool ")), 1, ")"],
                         [self.scalar(depth - 1), self.scalar(depth - 1)]),
            lambda: Node("s", ["(-", 0, ")"], [self.scalar(depth - 1)])))()

    def vector(self, depth, exact=False):
        if depth <= 0:
            return self.selector()
        return self.pick((self.selector, lambda: self.over_time(depth, exact),
                          lambda: self.over_time(depth, exact),
                          lambda: self.aggregation(depth, exact),
                          lambda: self.aggregation(depth, exact),
                          lambda: self.binary(depth, exact), lambda: self.binary(depth, exact),
                          lambda: self.function(depth, exact),
                          lambda: self.function(depth, exact)))()

    def over_time(self, depth, exact):
        if exact:
            name = self.pick(EXACT_OVER_TIME)
        elif self.chance(0.15):
            return self.pick((
                lambda: Node("v", ["quantile_over_time(", 0, ", ", 1, ")"],
                             [self.quantile(), self.matrix(depth, False)]),
                lambda: self.predict(depth),
                lambda: Node("v", ["holt_winters(", 0, ", ", self.pick(("0.5", "0.1")), ", 0.3)"],
                             [self.matrix(depth, False)]),
                lambda: Node("v", ["absent_over_time(", 0, ")"], [self.matrix(depth, False)])))()
        else:
            name = self.pick(OVER_TIME)
        falls = name in ("rate", "increase", "irate")
        turns = falls or name in ("changes", "resets")
        return Node("v", [f"{name}(", 0, ")"], [self.matrix(depth, exact or turns, falls)])

    def predict(self, depth):
        """Without @: 2.42 moves such a window from step to step (issue 11708)."""
        return Node("v", ["predict_linear(", 0, ", ", 1, ")"],
                    [self.matrix(depth, False).with_part("at", ""), self.scalar(0)])

    def quantile(self):
        return Node("s", [self.pick(("0", "0.25", "0.5", "0.9", "0.99", "1", "-1", "2", "NaN"))])

    def grouping(self, labels=None):
        labels = labels or self.pick(tuple(l for l in LABELS.values() if l))
        chosen = [l for l in labels if self.chance(0.5)] + (["none"] if self.chance(0.1) else [])
        return f" {self.pick(('by', 'by', 'without'))} ({', '.join(chosen)}) "

    def aggregation(self, depth, exact):
        names = ("sum", "min", "max", "count", "group")
        if not exact:
            names += ("avg", "stddev", "stdvar", "quantile", "count_values")
            if not self.subqueries:                   # where equal values are told apart
                names += ("topk", "bottomk")
        name = self.pick(names)
        kid = self.vector(depth - 1, exact or name in ("topk", "bottomk", "count_values"))
        labels = next((getattr(n, "labels", None) for n in (kid, *kid.below())
                       if getattr(n, "labels", None)), None)
        parts = {"by": self.grouping(labels) if self.chance(0.75) else ""}
        head, kids = [name, ("by",), "("], [kid]
        if name == "quantile":
            kids.append(self.quantile())
            head += [1, ", "]
        elif name in ("topk", "bottomk"):
            head.append(self.pick(("1, ", "2, ", "3, ", "5, ", "0, ", "-1, ")))
        elif name == "count_values":
            # After three labels to group by, 2.42 sorts its label into the slice of the parser, and
            # the last one is lost from the second step on.
            three = parts["by"].count(",") == 2
            head.append('"zz", ' if three else self.pick(('"v", ', '"job", ')))
        return Node("v", head + [0, ")"], kids, parts)

    def binary(self, depth, exact):
        r = self.rng.random()
        arithmetic = (" + ", " - ", " * ") if exact else (" + ", " - ", " * ", " / ", " ^ ")
        compare = (" == ", " != ", " > ", " < ", " >= ", " <= ")
        op = self.pick(arithmetic + compare + (" % ",) + (() if exact else (" atan2 ",)))
        inside = exact or op in compare or op in (" % ", " atan2 ", " / ", " ^ ")
        parts = {"bool": "bool " if op in compare and self.chance(0.4) else "", "on": ""}
        form = ["(", 0, op, ("bool",), ("on",), 1, ")"]
        if self.chance(0.2):                          # precedence says what belongs together
            form[0] = form[-1] = ""
        if op == " atan2 ":                           # 2.42 keeps the name: there is none
            form = ["(((", 0, ") + 0) atan2 ", ("on",), "((", 1, ") + 0))"]
        if r < 0.3:
            kids = [self.vector(depth - 1, inside), self.scalar(depth - 1)]
            if self.chance(0.4):
                kids.reverse()
            if op == " ^ ":
                kids[1:] = [Node("s", [self.pick(("2", "0.5", "-1", "0", "NaN"))])]
                kids[0] = self.vector(depth - 1, True)
            return Node("v", form, kids, parts)
        if op == " ^ ":
            form[2] = " + "
        if r < 0.5:                                   # the same series on both sides
            name = self.pick(tuple(LABELS))
            kids = [self.selector((name,)), self.selector((name,))]
            if not inside and self.chance(0.5):
                kids[0] = Node("v", ["avg_over_time(", 0, ")"],
                               [self.selector((name,), "m", "[7m]")])
        elif r < 0.7:                                 # groups by the same labels
            by = self.pick(("job", "job, instance", "kind", "instance", ""))
            kids = [Node("v", [self.pick(("sum", "max", "count")), f" by ({by}) (", 0, ")"],
                         [self.vector(depth - 1, inside)]) for _ in range(2)]
            parts["on"] = self.pick(("", f"on ({by}) ", "ignoring (code) "))
        elif r < 0.85:                                # many to one
            many = self.selector(("req_total", "lat_bucket", "req_total", "err_total"))
            one = self.pick((
                lambda: Node("v", ["sum by (job) (", 0, ")"], [self.vector(depth - 1, inside)]),
                lambda: Node("v", ["max by (job, instance) (", 0, ")"],
                             [self.selector(("err_total", "req_total", "lat_count"))]),
                lambda: self.selector(("build_info",))))()
            on = self.pick(("on (job) ", "on (job, instance) ", "ignoring (code, le, version) "))
            side, kids = self.pick((("group_left ", [many, one]), ("group_right ", [one, many])))
            parts["on"] = on + side + self.pick(("", "(version) ", "(version, code) ", "() "))
        else:                                         # sets
            form = ["(", 0, self.pick((" and ", " or ", " unless ")), ("on",), 1, ")"]
            kids = [self.vector(depth - 1, exact), self.vector(depth - 1, exact)]
            parts = {"on": self.pick(("", "", "on (job) ", "on (instance) ", "on () ",
                                                  "ignoring (code) ", "ignoring (kind, zone) "))}
        return Node("v", form, kids, parts)

    def function(self, depth, exact):
        def one(name, inside=exact, extra=()):
            return Node("v", [f"{name}(", 0, *extra, ")"], [self.vector(depth - 1, inside)])

        choices = [
            lambda: one(self.pick(EXACT_MATH), True),
            lambda: one("round", True, self.pick(((), (", 0.5",), (", 10",), (", 0.25",)))),
            lambda: one(self.pick(("sort", "sort_desc"))),
            lambda: one("absent"),
            lambda: Node("v", ["(-", 0, ")"], [self.vector(depth - 1, exact)]),
            lambda: one("clamp", exact, self.pick(((", 0, 100",), (", -5, 1e9",), (", 5, 1",),
                                                   (", NaN, 3",)))),
            lambda: one(self.pick(("clamp_min", "clamp_max")), exact,
                        self.pick(((", 10",), (", -2.5",), (", NaN",), (", Inf",)))),
            lambda: self.timestamp(self.vector(depth - 1, exact)),
            lambda: Node("v", [self.pick(DATES) + "(", 0, " + 86400 * ",
                               self.pick(("0", "1", "31", "366", "-60", "-40000", "1e16", "Inf",
                                          "NaN")), ")"], [self.timestamp(self.selector())]),
            lambda: Node("v", [self.pick(DATES) + "()"]),
            lambda: Node("v", ["vector(", 0, ")"], [self.scalar(depth - 1)]),
            lambda: one("label_replace", exact, self.pick((
                (', "dst", "$1-x", "job", "(.).*"',), (', "job", "", "job", ".*"',),
                (', "dst", "${1}", "instance", "(.*):(.*)"',),
                (', "kind", "$2", "instance", "(.*):(.*)"',), (', "dst", "y", "none", ""',),
                (', "instance", "$name", "instance", "(?P<name>.).*"',)))),
            lambda: one("label_join", exact, self.pick((
                (', "dst", "-", "job", "instance"',), (', "job", ",", "kind", "none", "zone"',),
                (', "dst", ""',), (', "instance", "/", "instance"',)))),
        ]
        if not exact:
            choices += [
                lambda: one(self.pick(MATH), True), lambda: one(self.pick(MATH), True),
                self.histogram, self.histogram, self.histogram,
            ]
        return self.pick(choices)()

    @staticmethod
    def timestamp(kid):
        if kid.parts.get("at"):     # there Prometheus forgets the offset of a selector
            kid = kid.with_part("offset", "")
        return Node("v", ["timestamp(", 0, ")"], [kid])

    def histogram(self):
        name = self.pick(("lat_bucket", "lat_bucket", "bad_bucket"))
        kid = self.pick((
            lambda: self.selector((name,)),
            lambda: Node("v", ["rate(", 0, ")"],
                         [self.selector(("lat_bucket",), "m", f"[{self.seconds(60, 1200)}]")]),
            lambda: Node("v", ["sum by (le, job) (rate(", 0, "))"],
                         [self.selector(("lat_bucket",), "m", f"[{self.seconds(60, 1200)}]")])))()
        return Node("v", ["histogram_quantile(", 0, ", ", 1, ")"], [self.quantile(), kid])

    def native(self, depth):
        """A vector of native histograms, of what 2.42 can do with them (its last_over_time and
        label_replace make zeros of them). Interpolation inside of a
        bucket is another in 3, so bounds of fractions are those of buckets."""
        name = self.pick(NATIVE)

        def select(kind, window=""):
            parts = self.modifiers()
            parts["m0"] = self.matcher(self.pick(NATIVE_LABELS)) if self.chance(0.4) else ""
            return Node(kind, [name, "{", ("m0",), "}", window, ("offset",), ("at",)], (), parts)

        def rate():
            function = self.pick(("rate", "increase", "delta") if name == "dur" else ("delta",))
            return Node("h", [f"{function}(", 0, ")"],
                        [select("m", f"[{self.seconds(60, 1800)}]")])

        if depth <= 0:
            return self.pick((lambda: select("h"), rate))()
        return self.pick((
            rate, rate, lambda: select("h"),
            lambda: Node("h", ["sum", ("by",), "(", 0, ")"], [self.native(depth - 1)],
                         {"by": self.grouping(NATIVE_LABELS) if self.chance(0.75) else ""}),
            lambda: Node("h", ["(", 0, self.pick((" and ", " or ", " unless ")), ("on",), 1, ")"],
                         [self.native(depth - 1), self.native(depth - 1)],
                         {"on": self.pick(("", "on (job) ", "on () "))})))()

    def of_native(self, depth):
        """Floats that come of native histograms."""
        bounds = ("-Inf", "-4", "-1", "0", "1", "2", "4", "Inf")
        low = self.rng.randrange(len(bounds) - 1)
        return self.pick((
            lambda: Node("v", ["histogram_count(", 0, ")"], [self.native(depth - 1)]),
            lambda: Node("v", ["histogram_sum(", 0, ")"], [self.native(depth - 1)]),
            lambda: Node("v", [f"histogram_fraction({bounds[low]}, ",
                               f"{self.pick(bounds[low + 1:])}, ", 0, ")"],
                         [self.native(0)]),     # 2.42's sums keep empty negative buckets
            lambda: Node("v", [self.pick(("count", "group")), ("by",), "(", 0, ")"],
                         [self.native(depth - 1)],
                         {"by": self.grouping(NATIVE_LABELS) if self.chance(0.75) else ""}),
            lambda: Node("v", ["absent(", 0, ")"], [self.native(depth - 1)])))()

    def query(self):
        """(Node, time in ms) of an instant query, or (Node, (start, end, step) in ms)."""
        def at():
            return BASE_MS + self.rng.randrange(0, SPAN_S + 200) * 1000 + 7
        depth = self.pick((1, 2, 2, 3, 3, 4))
        if self.chance(0.5):
            r = self.rng.random()
            node = (self.scalar(depth) if r < 0.03 else self.matrix(depth, False) if r < 0.08
                    else self.native(depth) if r < 0.14 else self.of_native(depth) if r < 0.2
                    else self.vector(depth))
            return node, at()
        step = self.pick((5, 15, 30, 60, 77, 300, 601)) * 1000
        start = at()
        r = self.rng.random()
        node = (self.scalar(depth) if r < 0.03 else self.native(depth) if r < 0.09
                else self.of_native(depth) if r < 0.15 else self.vector(depth))
        return node, (start, start + step * self.rng.randrange(0, 40) + self.pick((0, 3000)), step)
