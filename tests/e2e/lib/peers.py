"""The real peers, as processes: unpacked by `./dev peers` under build/peers, each with a directory
and a port of its own."""
import http.client
import os
import shutil
import subprocess
import tempfile

import perilune

BINARIES = {
    "prometheus": "prometheus/usr/bin/prometheus",
    "promtool": "prometheus/usr/bin/promtool",
    "node_exporter": "prometheus-node-exporter/usr/bin/prometheus-node-exporter",
    "victoria-metrics": "victoria-metrics/usr/bin/victoria-metrics",
    "vmagent": "victoria-metrics/usr/bin/vmagent",
    "influxd": "influxdb/usr/bin/influxd",
}


def binary(name):
    path = os.path.join(perilune.ROOT, "build", "peers", BINARIES[name])
    if not os.access(path, os.X_OK):
        raise AssertionError(f"{name} is not there: run ./dev peers")
    return path


class Peer:
    """A running peer. ready: the path that answers 200 when it is up."""

    def __init__(self, name, arguments, ready, port=None):
        self.name = name
        self.port = port or perilune.free_port()
        self.directory = tempfile.mkdtemp(prefix=f"perilune-{name}-")
        self.client = perilune.Client(self.port)
        self.log_path = os.path.join(self.directory, "log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen([binary(name), *arguments(self)], cwd=self.directory,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            perilune.wait_until(lambda: self.answers(ready), f"{name} is ready", 60)
        except BaseException:
            self.close()
            raise

    def answers(self, path):
        if self.process.poll() is not None:
            with open(self.log_path, encoding="utf-8", errors="replace") as f:
                raise AssertionError(f"{self.name} ended: {f.read()[-3000:]}")
        try:
            return self.client.get(path).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def write(self, name, text):
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def close(self):
        self.client.close()
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()


def scrape_config(targets, interval="1s"):
    """YAML of jobs {job: port}."""
    lines = ["global:", f"  scrape_interval: {interval}", "scrape_configs:"]
    for job, port in targets.items():
        lines += [f"- job_name: {job}", "  static_configs:", f"  - targets: ['127.0.0.1:{port}']"]
    return "\n".join(lines) + "\n"


def node_exporter():
    return Peer("node_exporter", lambda p: [f"--web.listen-address=127.0.0.1:{p.port}"], "/metrics")


def prometheus(targets, remote_write=None, receiver=False, config="", flags=()):
    """Scrapes targets {job: port} each second; remote_write: a URL to send to; more of its
    configuration and flags as they are."""
    def arguments(p):
        text = scrape_config(targets) + config
        if remote_write:
            text += (f"remote_write:\n- url: {remote_write}\n"
                     "  queue_config: {batch_send_deadline: 500ms}\n"
                     "  metadata_config: {send_interval: 2s}\n")
        return ([f"--config.file={p.write('prometheus.yml', text)}",
                 f"--storage.tsdb.path={p.directory}/data",
                 f"--web.listen-address=127.0.0.1:{p.port}"]
                + (["--web.enable-remote-write-receiver"] if receiver else []) + list(flags))
    return Peer("prometheus", arguments, "/-/ready")


def vmagent(targets, remote_write):
    def arguments(p):
        return [f"-promscrape.config={p.write('scrape.yml', scrape_config(targets))}",
                f"-remoteWrite.url={remote_write}", f"-remoteWrite.tmpDataPath={p.directory}/queue",
                "-remoteWrite.flushInterval=500ms", f"-httpListenAddr=127.0.0.1:{p.port}"]
    return Peer("vmagent", arguments, "/health")


def promtool(*arguments, stdin=None):
    """(exit status, output)."""
    done = subprocess.run([binary("promtool"), *arguments], input=stdin, capture_output=True,
                          timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")
