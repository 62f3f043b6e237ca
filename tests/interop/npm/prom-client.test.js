// prom-client as an application uses it; the text of its registry pushed, and scraped with
// timestamps by a sender of its own.
import assert from "node:assert/strict";
import { test } from "node:test";
import client from "prom-client";
import { api, base, expectStored, number, post } from "./lib.js";

const push = async (text, query = "") => {
  const reply = await post(`/api/v1/import/prometheus${query}`, text, "text/plain");
  assert.equal(reply.status, 204, reply.text);
};

/** Samples of a registry as prom-client itself names them: [labels, value]. */
async function samplesOf(registry) {
  const out = [];
  for (const metric of await registry.getMetricsAsJSON()) {
    for (const { metricName, labels, value } of metric.values) {
      const strings = Object.fromEntries(Object.entries(labels).map(([k, v]) => [k, String(v)]));
      out.push([{ __name__: metricName ?? metric.name, ...strings }, value]);
    }
  }
  return out;
}

/** A value that a query at this time finds, with the labels as Prometheus would have them. */
function shown(labels) {
  return Object.fromEntries(Object.entries(labels)
    .map(([k, v]) => [k, k === "le" && v === "Infinity" ? "+Inf" : v])
    .filter(([, v]) => v !== ""));
}

function registry() {
  const r = new client.Registry();
  const jobs = new client.Counter({
    name: "pc_jobs_total", help: "Jobs; with \\ and\na line", labelNames: ["kind", "odd"],
    registers: [r],
  });
  jobs.inc({ kind: "plain", odd: "no" }, 3);
  jobs.inc({ kind: 'quote " slash \\ line\n end', odd: "ü{}=,~€" }, 0.1 + 0.2);
  jobs.inc({ kind: "empty", odd: "" }, 7);
  const heat = new client.Gauge({ name: "pc_heat", help: "Heat", registers: [r], labelNames: ["at"] });
  const values = { tiny: 5e-324, huge: 1.7976931348623157e308, nan: NaN, up: Infinity,
    down: -Infinity, negative: -273.15, exact: 9007199254740993, zero: 0 };
  for (const [at, value] of Object.entries(values)) {
    heat.set({ at }, value);
  }
  const time = new client.Histogram({
    name: "pc_time_seconds", help: "Time", buckets: [0.005, 0.1, 1, 2.5], labelNames: ["path"],
    registers: [r],
  });
  [0.001, 0.05, 0.05, 0.7, 9].forEach((x) => time.observe({ path: "/a" }, x));
  const size = new client.Summary({
    name: "pc_size_bytes", help: "Size", percentiles: [0.5, 0.99], registers: [r],
  });
  [10, 20, 30].forEach((x) => size.observe(x));
  return r;
}

test("each sample of a registry comes back under its labels", async () => {
  const r = registry();
  const before = Date.now();
  await push(await r.metrics());
  const samples = await samplesOf(r);
  assert.ok(samples.length > 20);
  for (const [labels, value] of samples) {
    const wanted = shown(labels);
    const query = `{${Object.entries(wanted).map(([k, v]) => `${k}=${JSON.stringify(v)}`)}}`;
    const found = (await api("/api/v1/query", { query })).result
      .filter((one) => Object.keys(one.metric).length === Object.keys(wanted).length);
    assert.equal(found.length, 1, query);
    assert.deepEqual(found[0].metric, wanted);
    assert.equal(number(found[0].value[1]), value, query);
    const stamp = (await api("/api/v1/query", { query: `timestamp(${query})` })).result;
    assert.ok(stamp.some((one) => number(one.value[1]) * 1000 >= before - 1));
  }
});

test("help and type of a registry are metadata", async () => {
  await push(await registry().metrics());
  const all = await api("/api/v1/metadata");
  const kinds = { pc_jobs_total: "counter", pc_heat: "gauge", pc_time_seconds: "histogram",
    pc_size_bytes: "summary" };
  for (const [name, type] of Object.entries(kinds)) {
    assert.equal(all[name]?.[0].type, type, name);
  }
  assert.equal(all.pc_jobs_total[0].help, "Jobs; with \\ and\na line");
  const one = await api("/api/v1/metadata", { metric: "pc_heat" });
  assert.deepEqual(one, { pc_heat: [{ type: "gauge", help: "Heat", unit: "" }] });
});

test("the default metrics of a process are taken whole", async () => {
  const r = new client.Registry();
  client.collectDefaultMetrics({ register: r, prefix: "pd_", labels: { app: "test" } });
  const text = await r.metrics();
  await push(text);
  const series = text.split("\n").filter((line) => line && !line.startsWith("#"));
  const counted = (await api("/api/v1/query", { query: 'count({__name__=~"pd_.+"})' })).result;
  assert.equal(number(counted[0].value[1]), series.length);
  const labels = await api("/api/v1/label/app/values", { "match[]": "pd_nodejs_version_info" });
  assert.deepEqual(labels, ["test"]);
});

test("an OpenMetrics registry with exemplars is taken", async () => {
  const r = new client.Registry();
  r.setContentType(client.Registry.OPENMETRICS_CONTENT_TYPE);
  const hits = new client.Counter({
    name: "po_hits_total", help: "Hits", labelNames: ["code"], registers: [r], enableExemplars: true,
  });
  hits.inc({ labels: { code: "200" }, value: 2, exemplarLabels: { trace_id: "abc" } });
  const slow = new client.Histogram({
    name: "po_slow_seconds", help: "Slow", buckets: [1], registers: [r], enableExemplars: true,
  });
  slow.observe({ value: 0.5, exemplarLabels: { trace_id: "def" } });
  const reply = await post("/api/v1/import/prometheus", await r.metrics(), r.contentType);
  assert.equal(reply.status, 204, reply.text);
  const query = async (query) => (await api("/api/v1/query", { query })).result.map((x) => x.value[1]);
  assert.deepEqual(await query('po_hits_total{code="200"}'), ["2"]);
  assert.deepEqual(await query('po_slow_seconds_bucket{le="+Inf"}'), ["1"]);
  assert.deepEqual(await query("po_slow_seconds_sum"), ["0.5"]);
});

test("scrapes with their times are a history, exactly", async () => {
  const r = new client.Registry();
  const n = new client.Gauge({ name: "ps_gauge", help: "G", labelNames: ["host"], registers: [r] });
  const want = [];
  for (let i = 0; i < 20; i++) {
    const at = base + i * 1000 + 7 * i;
    const value = Math.sin(i) * 1e3;
    n.set({ host: "a" }, value);
    const text = (await r.metrics()).replace(/^(ps_gauge\{.*)$/gm, `$1 ${at}`);
    await push(text, "?extra_label=job=node&extra_label=instance=x:1");
    want.push([at, value]);
  }
  await expectStored({ __name__: "ps_gauge", host: "a", instance: "x:1", job: "node" }, want);
});

test("one bad line is named and the others are kept", async () => {
  const reply = await post("/api/v1/import/prometheus",
    `pb_good 1 ${base}\npb_bad{x=1} 2\npb_good 3 ${base + 1000}\n`, "text/plain");
  assert.equal(reply.status, 200);
  assert.equal(reply.json.data.accepted, 2);
  assert.equal(reply.json.data.rejected, 1);
  assert.equal(reply.json.data.rejects[0].line, 2);
  await expectStored({ __name__: "pb_good" }, [[base, 1], [base + 1000, 3]]);
});
