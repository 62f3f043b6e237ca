#!/usr/bin/env python3
"""./dev bench: the numbers of the issue beside those of the real peers, same machine, same data, same
run. Prints a table of ratios; quote ratios, not seconds.

CPU a sample   user + system time of the server from the first byte until it is idle, its own flush and
               merges included, the client not; known series: the series were made before the window
memory         RssAnon after it has settled
disk           allocated blocks after compaction (Prometheus: a snapshot's blocks)
restart        kill -9, then until it answers a query, warm page cache
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

from servers import BUILD, Influx, Perilune, Prometheus, VictoriaMetrics, disk_used

LOAD = f"{BUILD}/tests/bench/bench_load"
rows = []


def load(server, mode, **options):
    port = server.stream_port if mode == "stream" else server.port
    command = [LOAD, "--mode", mode, "--port", str(port)]
    if mode == "influx":
        command += ["--path", server.influx_path]
    for name, value in options.items():
        command += [f"--{name}", str(value)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


def row(what, figures, unit, better="less"):
    """figures: {server name: value}; ratios are peer / ours (or ours / peer where more is better)."""
    rows.append((what, figures, unit, better))
    ours = figures.get("perilune")
    cells = []
    for name, value in figures.items():
        ratio = ""
        if name != "perilune" and ours and value:
            ratio = f" ({value / ours if better == 'less' else ours / value:.1f}x)"
        cells.append(f"{name} {value:.4g}{ratio}")
    print(f"{what} [{unit}]: " + ", ".join(cells), flush=True)


def median(values):
    return statistics.median(values)


def write_known(mode, kinds, repeat, scale):
    """100k known series, 10k samples a request."""
    cpu = {}
    for _ in range(repeat):
        for kind in kinds:
            with kind() as s:
                begin = int(time.time() * 1000) - 1500_000
                data = dict(hosts=1000, metrics=100, batch=10000, connections=2, interval=10000)
                load(s, mode, samples=2, start=begin, **data)
                s.settle()
                before = s.cpu()
                done = load(s, mode, samples=scale, start=begin + 20000, **data)
                s.flush()
                s.settle()
                cpu.setdefault(s.name, []).append((s.cpu() - before) / done["samples"] * 1e6)
                if done["errors"]:
                    print(f"  {s.name}: {done['errors']} errors", file=sys.stderr)
    row(f"{mode}: CPU a sample, 100k known series", {k: median(v) for k, v in cpu.items()}, "us")


def new_series(kinds):
    """1M new series x 10 samples: CPU, memory, disk, restart."""
    cpu, memory, disk, restart = {}, {}, {}, {}
    for kind in kinds:
        with kind() as s:
            before = s.cpu()
            done = load(s, "remote", hosts=10000, metrics=100, samples=10, batch=10000, connections=2)
            s.settle()
            cpu[s.name] = (s.cpu() - before) / done["samples"] * 1e6
            s.flush()
            s.settle()
            memory[s.name] = s.memory() / 1e6
            s.compact()
            s.settle()
            disk[s.name] = s.disk() / done["samples"]
            s.kill()
            s.start()
            begun = time.monotonic()
            s.get("/api/v1/query?query=count(cpu_usage_user_00)")
            restart[s.name] = time.monotonic() - begun
    row("1M new series x 10: CPU a sample", cpu, "us")
    row("memory a series after that", memory, "B")
    row("1M series x 10: disk a sample, compacted", disk, "B")


def restart_journal():
    """1M series known, 6M samples of them in the journal, killed: until it answers."""
    with Perilune() as s:
        begin = int(time.time() * 1000) - 600_000
        load(s, "remote", hosts=10000, metrics=100, samples=4, start=begin)
        s.flush()
        load(s, "remote", hosts=10000, metrics=100, samples=6, start=begin + 40000)
        s.kill()
        took = []
        for _ in range(3):
            seconds = s.start()
            begun = time.monotonic()
            s.get("/api/v1/query?query=count(cpu_usage_user_00)")
            took.append(seconds + time.monotonic() - begun)
            s.kill()
        row("restart, 1M series, 6M samples in the journal", {"perilune": median(took)}, "s")


def disk_devops(kinds):
    disk = {}
    for kind in kinds:
        with kind() as s:
            done = load(s, "remote", hosts=1000, metrics=100, samples=120)
            s.flush()
            s.compact()
            s.settle()
            disk[s.name] = s.disk() / done["samples"]
    row("devops, 12M samples: disk a sample, compacted", disk, "B")


def disk_walk(kinds):
    disk = {}
    for kind in kinds:
        with kind() as s:
            done = load(s, "remote", data="walk", hosts=200, metrics=1, samples=43200, interval=60000,
                        connections=1)
            s.flush()
            s.compact()
            s.settle()
            disk[s.name] = s.disk() / done["samples"]
    row("200 two-decimal walks x 30 d: disk a sample", disk, "B")


def disk_node(kinds, minutes):
    """A real node_exporter, scraped each second: recorded once, sent to all."""
    import node
    texts = node.record(minutes * 60)
    disk = {}
    for kind in kinds:
        with kind() as s:
            n = node.replay(s, texts)
            s.flush()
            s.compact()
            s.settle()
            disk[s.name] = s.disk() / n
    row(f"node_exporter at 1 s, {minutes} min: disk a sample", disk, "B")


def stream_rate():
    with Perilune() as s:
        data = dict(hosts=1000, metrics=100, batch=50000, connections=2, interval=1000)
        begin = int(time.time() * 1000) - 900_000
        load(s, "stream", samples=2, start=begin, **data)
        done = load(s, "stream", samples=400, start=begin + 2000, **data)
        row("msgpack stream with handles, acknowledged", {"perilune": done["samples_per_second"] / 1e6},
            "M samples/s", "more")


def latency():
    with Perilune() as s:
        begin = int(time.time() * 1000) - 1500_000
        data = dict(hosts=1000, metrics=100, batch=10000, connections=4, interval=10000)
        peak = load(s, "remote", samples=40, start=begin, **data)["samples_per_second"]
        done = load(s, "remote", samples=60, start=begin + 400_000, rate=int(peak / 2), **data)
        raw = fdatasync_loop(s.dir)
        row("acknowledgement at half the peak: p50", {"perilune": done["p50_ms"]}, "ms")
        row("acknowledgement at half the peak: p99", {"perilune": done["p99_ms"]}, "ms")
        row("p99 as a multiple of a raw fdatasync loop's", {"perilune": done["p99_ms"] / raw}, "x")


def fdatasync_loop(where, n=300):
    """p99 in ms of writing 64 KB and fdatasync, on the same disk."""
    took = []
    with open(os.path.join(where, "raw"), "wb") as f:
        for _ in range(n):
            begun = time.monotonic()
            f.write(b"x" * 65536)
            f.flush()
            os.fdatasync(f.fileno())
            took.append(time.monotonic() - begun)
    return sorted(took)[n * 99 // 100] * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("rows", nargs="*", help="remote influx new disk walk node stream latency restart")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--samples", type=int, default=100, help="per series, in the write rows")
    parser.add_argument("--alone", action="store_true", help="without the peers")
    parser.add_argument("--without", nargs="*", default=[], metavar="PEER",
                        help="leave out victoria-metrics, prometheus or influxdb")
    parser.add_argument("--minutes", type=int, default=10, help="of node_exporter to record")
    a = parser.parse_args()
    wanted = a.rows or "remote influx new disk walk node stream latency restart".split()
    kinds = [Perilune] if a.alone else [Perilune, VictoriaMetrics, Prometheus]
    influx = [Perilune] if a.alone else [Perilune, VictoriaMetrics, Influx]
    kinds = [k for k in kinds if k.name not in a.without]
    influx = [k for k in influx if k.name not in a.without]
    if "remote" in wanted:
        write_known("remote", kinds, a.repeat, a.samples)
    if "influx" in wanted:
        write_known("influx", influx, a.repeat, a.samples)
    if "stream" in wanted:
        stream_rate()
    if "latency" in wanted:
        latency()
    if "restart" in wanted:
        restart_journal()
    if "disk" in wanted:
        disk_devops(kinds)
    if "walk" in wanted:
        disk_walk(kinds)
    if "node" in wanted:
        disk_node(kinds, a.minutes)
    if "new" in wanted:
        new_series(kinds)
    print("\n| what | " + " | ".join(["unit", "perilune", "peers (ratio)"]) + " |")
    print("|---|---|---|---|")
    for what, figures, unit, better in rows:
        ours = figures.get("perilune", 0)
        peers = ", ".join(f"{n} {v:.4g} ({v / ours if better == 'less' else ours / v:.1f}x)"
                          for n, v in figures.items() if n != "perilune" and ours and v)
        print(f"| {what} | {unit} | {ours:.4g} | {peers} |")


if __name__ == "__main__":
    main()
