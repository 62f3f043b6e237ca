// What the tests of the npm clients share: asking Perilune for what it stored, three ways.
// The server is started by tests/interop/test_npm.py, which gives its address in PL_URL.
import assert from "node:assert/strict";

export const url = process.env.PL_URL ?? "http://127.0.0.1:1969";

/** Times near now, which every retention keeps: whole seconds. */
export const base = Math.floor(Date.now() / 1000) * 1000 - 600_000;

export async function post(path, body, type, headers = {}) {
  const reply = await fetch(url + path, {
    method: "POST", body, headers: type ? { "Content-Type": type, ...headers } : headers,
  });
  const text = await reply.text();
  return {
    status: reply.status, headers: reply.headers, text,
    get json() { return JSON.parse(text); },
  };
}

/** `data` of a Prometheus API reply. */
export async function api(path, parameters = {}) {
  const reply = await fetch(`${url}${path}?${new URLSearchParams(parameters)}`);
  const body = await reply.json();
  assert.equal(body.status, "success", JSON.stringify(body));
  return body.data;
}

/** A number of the API or of an exported line. */
export function number(text) {
  return { "+Inf": Infinity, "-Inf": -Infinity, Inf: Infinity }[text] ?? Number(text);
}

export function selector(labels) {
  return `{${Object.entries(labels).map(([k, v]) => `${k}=${JSON.stringify(v)}`).join(",")}}`;
}

const ms = (seconds) => Math.round(seconds * 1000);

async function exported(labels) {
  const found = [];
  const query = new URLSearchParams({ "match[]": selector(labels) });
  const text = await (await fetch(`${url}/api/v1/export?${query}`)).text();
  for (const line of text.split("\n").filter(Boolean)) {
    const { labels: its, t, v } = JSON.parse(line);
    assert.deepEqual(its, labels);
    t.forEach((time, i) => found.push([time, number(v[i])]));
  }
  return found;
}

/** The series has exactly these samples [[ms, value], ...], in whatever way one asks; by itself only
 *  each every-th of them is asked for. */
export async function expectStored(labels, samples, every = 1) {
  const sorted = [...samples].sort((a, b) => a[0] - b[0]);
  const first = sorted[0][0], last = sorted.at(-1)[0];
  const wanted = selector(labels);

  const range = `${last - first + 1}ms`;
  const { resultType, result } =
    await api("/api/v1/query", { query: `${wanted}[${range}]`, time: last / 1000 });
  assert.equal(resultType, "matrix");
  assert.equal(result.length, 1, `${wanted}: ${JSON.stringify(result)}`);
  assert.deepEqual(result[0].metric, labels);
  assert.deepEqual(result[0].values.map(([t, v]) => [ms(t), number(v)]), sorted);

  for (const [t, v] of sorted.filter((_, i) => i % every === 0)) {
    const at = { start: t / 1000, end: t / 1000, step: "1" };
    const values = (await api("/api/v1/query_range", { query: wanted, ...at })).result;
    assert.deepEqual(values.map((one) => one.values.map(([at, v]) => [ms(at), number(v)])),
      [[[t, v]]]);
    const stamps = (await api("/api/v1/query_range",
      { query: `timestamp(${wanted})`, ...at })).result;
    assert.equal(ms(number(stamps[0].values[0][1])), t);
  }
  assert.deepEqual(await exported(labels), sorted);
}

/** No series matches. */
export async function expectNothing(labels) {
  assert.deepEqual(await api("/api/v1/series", { "match[]": selector(labels) }), []);
}
