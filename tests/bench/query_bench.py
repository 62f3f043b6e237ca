#!/usr/bin/env python3
"""./dev bench query: PromQL beside the real peers, same machine, same data, same run.

Each data set is loaded once into every server, flushed, and asked the same queries. A figure is the
median of several runs in milliseconds, one after another on one connection (bench_wrk), from the
request's first byte to the answer's last; ratios are the peer's time by ours. "cold" asks VictoriaMetrics with nocache=1 and Perilune with nocache=1, so that
neither answers from a result cache; "repeated" asks what was asked before, caches on. Answers are
compared with Prometheus' (where it runs, else VictoriaMetrics'); what differs is told below the row:
VictoriaMetrics' rate does not extrapolate, so its values differ by design.

rows: dashboard  100k series, 12M samples, 80 steps: cold and repeated, and the listings
      long       200 series x 30 days at 60 s
      million    1M series
      light      8 clients, queries of one series, queries a second
      crowd      1,000 concurrent range queries: answered, slowest, memory
      panels     24 panels over 24 h of 1,000 series, p95
      ready      GET /-/ready on 64 keep-alive connections, requests a second
"""
import argparse
import http.client
import json
import math
import os
import statistics
import subprocess
import sys
import time
import urllib.parse

from servers import BUILD, Perilune, Prometheus, VictoriaMetrics

LOAD = f"{BUILD}/tests/bench/bench_load"
WRK = f"{BUILD}/tests/bench/bench_wrk"
ROWS = "dashboard long million light crowd panels ready".split()
table = []


class Client:
    """One keep-alive connection."""

    def __init__(self, server):
        self.server = server
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=600)

    def get(self, path):
        """(status, body, seconds)"""
        begun = time.perf_counter()
        self.connection.request("GET", path)
        reply = self.connection.getresponse()
        body = reply.read()
        return reply.status, body, time.perf_counter() - begun


def load(server, **options):
    command = [LOAD, "--mode", "remote", "--port", str(server.port)]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
    server.flush()
    server.settle(30)
    return done


def wrk(server, connections, seconds, paths, requests=0):
    command = [WRK, str(server.port), str(connections), str(seconds), str(requests)]
    done = subprocess.run(command, input="\n".join(paths) + "\n", stdout=subprocess.PIPE, text=True,
                          check=True)
    return json.loads(done.stdout)


def range_path(query, start, end, step, nocache=False):
    values = {"query": query, "start": f"{start / 1000:.3f}", "end": f"{end / 1000:.3f}",
              "step": f"{step / 1000:g}"}
    if nocache:
        values["nocache"] = "1"
    return "/api/v1/query_range?" + urllib.parse.urlencode(values)


def instant_path(query, at, nocache=False):
    values = {"query": query, "time": f"{at / 1000:.3f}"}
    if nocache:
        values["nocache"] = "1"
    return "/api/v1/query?" + urllib.parse.urlencode(values)


# ---------------------------------------------------------------------------- comparing answers

def normal(body):
    """An answer as {labels: {time: value}}, or a sorted list."""
    data = json.loads(body)["data"]
    if isinstance(data, list):
        return sorted(json.dumps(x, sort_keys=True) for x in data)
    if not isinstance(data["result"], list) or data["resultType"] == "scalar":
        return data
    out = {}
    for series in data["result"]:
        points = series["values"] if "values" in series else [series["value"]]
        labels = json.dumps(series["metric"], sort_keys=True)
        out[labels] = {round(float(t), 3): float(v) for t, v in points}
    return out


def differ(a, b):
    """What two answers differ in, as words; "" for nothing."""
    if type(a) is not type(b):
        return "kinds of answers"
    if not isinstance(a, dict):
        return "" if a == b else f"{len(a)} and {len(b)} entries, {len(set(a) ^ set(b))} in one only"
    if set(a) != set(b):
        return f"{len(a)} and {len(b)} series, {len(set(a) ^ set(b))} in one only"
    worst, points, missing = 0.0, 0, 0
    for labels, series in a.items():
        other = b[labels]
        missing += len(set(series) ^ set(other))
        for t, v in series.items():
            w = other.get(t)
            if w is None or v == w or (math.isnan(v) and math.isnan(w)):
                continue
            off = abs(v - w) / max(abs(v), abs(w)) if math.isfinite(v) and math.isfinite(w) else 1
            points += off > 1e-9
            worst = max(worst, off)
    if not points and not missing:
        return ""
    return f"{points} values (by up to {worst:.2g}), {missing} points in one only"


def compare(answers):
    """Print how answers differ. {server: body}"""
    base = next((n for n in ("prometheus", "victoria-metrics") if n in answers), None)
    if not base or len(answers) < 2:
        return
    told = normal(answers[base])
    for name, body in answers.items():
        words = "" if name == base else differ(normal(body), told)
        if words:
            print(f"      {name} and {base} differ: {words}", flush=True)


# ---------------------------------------------------------------------------- rows of the table

def show(what, figures, unit="ms", better="less"):
    """figures: {column: value}"""
    ours = figures.get("perilune")
    cells = []
    for name, value in figures.items():
        ratio = ""
        if name != "perilune" and ours and value:
            ratio = f" ({value / ours if better == 'less' else ours / value:.1f}x)"
        cells.append(f"{name} {value:.4g}{ratio}")
    table.append((what, unit, cells))
    print(f"{what} [{unit}]: " + ", ".join(cells), flush=True)


def measure(clients, what, paths, runs, check=True):
    """Ask all servers in turns. paths: {server name: path}"""
    took, answers = {}, {}
    for name, client in clients.items():
        status, body, seconds = client.get(paths[name])
        if status != 200:
            print(f"      {name}: HTTP {status}: {body[:200]!r}", flush=True)
            continue
        answers[name] = body
        # what takes seconds is not asked as often
        n = max(1, min(runs, int(4 / max(seconds, 1e-4))))
        took[name] = wrk(client.server, 1, 60, [paths[name]], n)["p50_ms"]
    show(what, took)
    if check:
        compare(answers)


DASHBOARD = [
    ("one series raw", 'cpu_usage_user_00{hostname="host_7"}'),
    ("avg by region, 1,000 hosts", "avg by (region) (cpu_usage_system_00)"),
    ("sum by service of rate", "sum by (service) (rate(disk_reads_total_00[5m]))"),
    ("topk of rate", "topk(5, rate(net_bytes_total_00[5m]))"),
    ("quantile", "quantile by (region) (0.95, disk_usage_system_00)"),
    ("regex max", 'max by (datacenter) (cpu_usage_system_00{hostname=~"host_[1-3].*"})'),
    ("heavy regex, sum of rates", 'sum by (region) (rate({__name__=~".*_(reads|writes|bytes|packets)_total_00"}[5m]))'),
    ("count of all 100k series", 'count({__name__=~".+"})'),
]


def both(clients, path_of, cached):
    return {name: path_of(not cached and name != "prometheus") for name in clients}


def dashboard(servers, a):
    step, n = 20_000, 80
    begin = (int(time.time()) - 5400) // 600 * 600_000 + 1234  # on no window's edge
    for s in servers:
        load(s, data="dashboard", hosts=a.hosts, metrics=100, samples=120, interval=15_000, start=begin)
    clients = {s.name: Client(s) for s in servers}
    end = (begin + 119 * 15_000) // step * step
    start = end - (n - 1) * step
    for cached in (False, True):
        kind = "repeated" if cached else "cold"
        for what, query in DASHBOARD:
            measure(clients, f"{kind}: {what}",
                    both(clients, lambda no, q=query: range_path(q, start, end, step, no), cached),
                    a.runs, check=not cached)
    window = f"start={start // 1000}&end={end // 1000}"
    name = urllib.parse.quote('{__name__="cpu_usage_user_00"}')
    for what, path in [("series of a metric", f"/api/v1/series?match[]={name}&{window}"),
                       ("label names", f"/api/v1/labels?{window}"),
                       ("values of a label", f"/api/v1/label/hostname/values?{window}"),
                       ("values of a label, of a metric",
                        f"/api/v1/label/hostname/values?match[]={name}&{window}")]:
        measure(clients, f"listing: {what}", {name: path for name in clients}, a.runs)


def long(servers, a):
    day = 86_400_000
    begin = (int(time.time()) // 86_400 - a.days - 1) * day
    for s in servers:
        load(s, data="walk", hosts=200, metrics=1, samples=a.days * 1440, interval=60_000, start=begin,
             connections=1)
        s.compact()
        s.settle(30)
    clients = {s.name: Client(s) for s in servers}
    for what, query, step in [
            ("avg_over_time(m[1h]) step 1h", "avg_over_time(cpu_usage_user_00[1h])", 3_600_000),
            ("max by (host)(m) step 6h", "max by (hostname) (cpu_usage_user_00)", 21_600_000)]:
        start = begin + step
        for cached in (False, True):
            measure(clients, f"200 x {a.days} d, {'repeated' if cached else 'cold'}: {what}",
                    both(clients, lambda no, q=query, b=start, w=step:
                         range_path(q, b, begin + a.days * day - w, w, no), cached),
                    a.runs, check=not cached)


def million(servers, a):
    begin = (int(time.time()) - 1800) // 600 * 600_000
    n = a.series
    for s in servers:
        load(s, data="pods", hosts=n, metrics=1, samples=2, interval=15_000, start=begin)
    clients = {s.name: Client(s) for s in servers}
    at = begin + 20_000
    for cached in (False, True):
        for query in ("sum by (namespace) (pod_memory_bytes_00)", 'count({__name__=~".+"})'):
            measure(clients, f"{n} series, {'repeated' if cached else 'cold'}: {query}",
                    both(clients, lambda no, q=query: instant_path(q, at, no), cached),
                    a.runs, check=not cached)


def light(servers, a):
    begin = (int(time.time()) - 5400) // 600 * 600_000 + 1234  # on no window's edge
    for s in servers:
        load(s, hosts=a.hosts, metrics=10, samples=120, interval=15_000, start=begin)
    at = (begin + 1700_000) // 20_000 * 20_000
    for cached in (False, True):
        figures = {}
        for s in servers:
            no = not cached and s.name != "prometheus"
            paths = [instant_path(f'cpu_usage_user_00{{hostname="host_{i}"}}', at, no)
                     for i in range(a.hosts)]
            figures[s.name] = wrk(s, 8, a.seconds, paths)["per_second"]
        show(f"8 clients, one series, instant, {'repeated' if cached else 'cold'}", figures, "queries/s",
             "more")
        figures = {}
        for s in servers:
            no = not cached and s.name != "prometheus"
            paths = [range_path(f'cpu_usage_user_00{{hostname="host_{i}"}}', at - 79 * 20_000, at, 20_000,
                                no) for i in range(a.hosts)]
            figures[s.name] = wrk(s, 8, a.seconds, paths)["per_second"]
        show(f"8 clients, one series x 80 steps, {'repeated' if cached else 'cold'}", figures, "queries/s",
             "more")


def crowd(servers, a):
    begin = (int(time.time()) - 5400) // 600 * 600_000 + 1234  # on no window's edge
    slowest, memory = {}, {}
    for s in servers:
        load(s, hosts=a.hosts, metrics=10, samples=120, interval=15_000, start=begin)
        at = (begin + 1700_000) // 20_000 * 20_000
        paths = [range_path(f"avg by (region) (rate(cpu_reads_total_00[{i % 10 + 2}m]))",
                            at - 79 * 20_000, at, 20_000, s.name != "prometheus") for i in range(1000)]
        done = wrk(s, 1000, 120, paths, 1000)
        if done["ok"] != 1000:
            print(f"      {s.name}: {done['ok']} of 1,000 answered with success", flush=True)
        slowest[s.name] = done["max_ms"]
        memory[s.name] = s.memory() / 1e6
    show("1,000 concurrent range queries: the slowest", slowest)
    show("1,000 concurrent range queries: memory after", memory, "MB")


def panels(servers, a):
    """24 panels, each another metric of 1,000 series in all, 24 h at 60 s, step 60 s; six at a time, as a
    browser asks."""
    day = 86_400_000
    begin = (int(time.time()) // 3600) * 3_600_000 - day - 3_600_000 - 766
    for s in servers:
        load(s, hosts=42, metrics=24, samples=1440, interval=60_000, start=begin)
    kinds = ["avg by (region) (%s)", "sum by (service) (rate(%s[5m]))", "max by (datacenter) (%s)",
             "topk(5, %s)", "quantile(0.95, %s)", "%s"]
    names = ["usage_user", "usage_system", "reads_total", "writes_total", "bytes_total", "packets_total",
             "free_bytes", "load", "temperature", "connections"]
    groups = ["cpu", "disk", "net"]
    queries = [kinds[i % 6] % f"{groups[i // 10]}_{names[i % 10]}_00" for i in range(24)]
    for cached in (False, True):
        p95, worst = {}, {}
        for s in servers:
            no = not cached and s.name != "prometheus"
            paths = [range_path(q, begin + 60_766, begin + day - 59_234, 60_000, no) for q in queries]
            if cached:
                wrk(s, 1, 60, paths, 24)
            took = [wrk(s, 6, 60, paths, 24) for _ in range(5)]
            p95[s.name] = statistics.median([t["p95_ms"] for t in took])
            worst[s.name] = statistics.median([t["seconds"] * 1e3 for t in took])
        kind = "repeated" if cached else "cold"
        show(f"24 panels, 24 h, 1,000 series, {kind}: p95 of a panel", p95)
        show(f"24 panels, 24 h, 1,000 series, {kind}: the whole dashboard", worst)


def ready(servers, a):
    figures = {s.name: wrk(s, 64, a.seconds, [s.ready_path])["per_second"] for s in servers}
    show("GET /-/ready, 64 keep-alive connections", figures, "requests/s", "more")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", help=" ".join(ROWS))
    parser.add_argument("--runs", type=int, default=11, help="of each query")
    parser.add_argument("--hosts", type=int, default=1000)
    parser.add_argument("--series", type=int, default=1_000_000, help="of the row million")
    parser.add_argument("--days", type=int, default=30, help="of the row long")
    parser.add_argument("--seconds", type=int, default=5, help="of the rows light and ready")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--without", nargs="*", default=[], metavar="PEER",
                        help="leave out victoria-metrics or prometheus")
    a = parser.parse_args()
    for r in a.rows:
        if r not in ROWS:
            parser.error(f"no row {r}; there are {' '.join(ROWS)}")
    if not os.path.exists(WRK):
        sys.exit(f"query_bench: {WRK} is not there; run it as ./dev bench query")
    peers = [lambda: VictoriaMetrics("-search.maxUniqueTimeseries=2000000", "-search.latencyOffset=0",
                                     "-search.maxPointsPerTimeseries=100000",
                                     "-search.maxQueueDuration=100s", "-search.maxQueryDuration=100s"),
             lambda: Prometheus("--query.max-samples=500000000")]
    kinds = [lambda: Perilune()] + ([] if a.alone else peers)
    for row in a.rows or ROWS:
        servers = [s for s in (k() for k in kinds) if s.name not in a.without]
        try:
            for s in servers:
                s.start()
            globals()[row](servers, a)
        finally:
            for s in servers:
                s.__exit__()
    print("\n| what | unit | figures (ratio) |\n|---|---|---|")
    for what, unit, cells in table:
        print(f"| {what} | {unit} | {', '.join(cells)} |")


if __name__ == "__main__":
    main()
