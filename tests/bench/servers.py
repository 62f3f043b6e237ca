"""The servers that benchmarks compare: Perilune and its peers, unpacked under build/peers/. Each is
started in a directory of its own on a free port of 127.0.0.1 and ended by process id. CPU, memory and
disk are read from the system alike for all of them (decisions: what a row counts is named in bench.py)."""
import glob
import os
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("PL_BUILD", f"{ROOT}/build")  # of a release build of Perilune
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def disk_used(path):
    """Allocated bytes below path, as du counts them."""
    total = 0
    for folder, folders, files in os.walk(path):
        for name in files + folders:
            try:
                total += os.lstat(os.path.join(folder, name)).st_blocks * 512
            except FileNotFoundError:
                pass
    return total


class Server:
    name = ""
    write_path = "/api/v1/write"
    influx_path = "/write?db=bench"

    def __init__(self, *args):
        self.dir = tempfile.mkdtemp(prefix="bench-")
        self.args = list(args)
        self.process = None

    def binary(self):
        found = glob.glob(f"{ROOT}/build/peers/*/usr/bin/{self.program}")
        if not found:
            raise SystemExit(f"bench: {self.program} is not under build/peers: run ./dev peers")
        return found[0]

    def command(self):
        raise NotImplementedError

    def start(self):
        """Until it answers; returns the seconds that took."""
        self.port = free_port()
        self.log = open(os.path.join(self.dir, "log"), "ab")
        begun = time.monotonic()
        self.process = subprocess.Popen(self.command(), stdout=self.log, stderr=self.log, cwd=self.dir)
        while True:
            try:
                self.get(self.ready_path)
                return time.monotonic() - begun
            except OSError:
                if self.process.poll() is not None:
                    raise SystemExit(f"bench: {self.name} ended; see {self.dir}/log") from None
                time.sleep(0.01)

    def get(self, path, method="GET"):
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", method=method)
        with urllib.request.urlopen(request, timeout=600) as reply:
            return reply.read()

    def cpu(self):
        """User and system seconds so far."""
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def memory(self):
        """RssAnon in bytes."""
        with open(f"/proc/{self.process.pid}/status") as f:
            for line in f:
                if line.startswith("RssAnon"):
                    return int(line.split()[1]) * 1024
        return 0

    def settle(self, seconds=90):
        """Until it does nothing for two seconds."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            before = self.cpu()
            time.sleep(2)
            if self.cpu() - before < 0.06:
                return

    def flush(self):
        pass

    def compact(self):
        pass

    def disk(self):
        return disk_used(os.path.join(self.dir, "data"))

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.kill()

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)


class Perilune(Server):
    name = "perilune"
    ready_path = "/-/ready"

    def command(self):
        self.stream_port = free_port()
        return [f"{BUILD}/perilune", "serve", "--data", f"{self.dir}/data",
                "--http", f"127.0.0.1:{self.port}", "--stream", f"127.0.0.1:{self.stream_port}",
                "--retention", "0"] + self.args

    def flush(self):
        self.get("/api/v1/admin/flush", "POST")

    def compact(self):
        self.get("/api/v1/admin/compact", "POST")


class VictoriaMetrics(Server):
    name = "victoria-metrics"
    program = "victoria-metrics"
    ready_path = "/health"

    def command(self):
        return [self.binary(), f"-storageDataPath={self.dir}/data",
                f"-httpListenAddr=127.0.0.1:{self.port}", "-retentionPeriod=100y"] + self.args

    def flush(self):
        self.get("/internal/force_flush")

    def compact(self):
        self.get("/internal/force_merge")


class Prometheus(Server):
    name = "prometheus"
    program = "prometheus"
    ready_path = "/-/ready"

    def command(self):
        config = f"{self.dir}/prometheus.yml"
        with open(config, "w") as f:
            f.write("global: {}\n")
        return [self.binary(), f"--config.file={config}", f"--storage.tsdb.path={self.dir}/data",
                f"--web.listen-address=127.0.0.1:{self.port}", "--web.enable-remote-write-receiver",
                "--web.enable-admin-api", "--storage.tsdb.retention.time=100y"] + self.args

    def compact(self):
        """Blocks of what is in its head, as a snapshot writes them."""
        self.get("/api/v1/admin/tsdb/snapshot", "POST")

    def disk(self):
        return disk_used(os.path.join(self.dir, "data", "snapshots"))


class Influx(Server):
    name = "influxdb"
    program = "influxd"
    ready_path = "/ping"

    def command(self):
        config = f"{self.dir}/influxdb.conf"
        with open(config, "w") as f:
            f.write(f'reporting-disabled = true\nbind-address = "127.0.0.1:{free_port()}"\n'
                    f'[meta]\ndir = "{self.dir}/data/meta"\n'
                    f'[data]\ndir = "{self.dir}/data/data"\nwal-dir = "{self.dir}/data/wal"\n'
                    'max-series-per-database = 0\nmax-values-per-tag = 0\n'
                    f'[http]\nbind-address = "127.0.0.1:{self.port}"\nlog-enabled = false\n')
        return [self.binary(), "-config", config]

    def start(self):
        took = super().start()
        self.get("/query?q=CREATE+DATABASE+bench", "POST")
        return took
