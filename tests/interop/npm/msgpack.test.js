// @msgpack/msgpack and msgpackr against /api/v1/push: each test with the encoder of either.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encode, ExtData } from "@msgpack/msgpack";
import * as msgpackr from "msgpackr";
import { base, expectNothing, expectStored, post } from "./lib.js";

/** docs/push.md: packed little-endian columns. */
const U32 = 1, I64 = 2, F64 = 3;
class Column {
  constructor(ext, array) {
    this.ext = ext;
    this.bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  }
}
// msgpackr finds extensions by class.
class Handles extends Column { constructor(list) { super(U32, Uint32Array.from(list)); } }
class Times extends Column { constructor(list) { super(I64, BigInt64Array.from(list.map(BigInt))); } }
class Values extends Column { constructor(list) { super(F64, Float64Array.from(list)); } }
[[Handles, U32], [Times, I64], [Values, F64]].forEach(([Class, type]) =>
  msgpackr.addExtension({ Class, type, pack: (x) => x.bytes, unpack: (bytes) => bytes }));

/** The same document for @msgpack/msgpack, which wants its own class of extensions. */
function withExt(x) {
  if (x instanceof Column) {
    return new ExtData(x.ext, x.bytes);
  }
  if (Array.isArray(x)) {
    return x.map(withExt);
  }
  if (x?.constructor === Object) {
    return Object.fromEntries(Object.entries(x).map(([k, v]) => [k, withExt(v)]));
  }
  return x;
}

const plain = new msgpackr.Packr({ useRecords: false });
const encoders = {
  msgpack: (x) => encode(withExt(x)),
  msgpack_longs: (x) => encode(withExt(x), { useBigInt64: true, ignoreUndefined: true }),
  msgpackr: (x) => msgpackr.pack(x),
  msgpackr_plain: (x) => plain.pack(x),
  msgpackr_maps: (x) => new msgpackr.Packr({ useRecords: false, variableMapSize: true,
    encodeUndefinedAsNil: true, int64AsType: "bigint" }).pack(x),
};

const send = (body, headers) => post("/api/v1/push", body, "application/msgpack", headers);
async function push(body, accepted) {
  const reply = await send(body);
  assert.equal(reply.status, 200, reply.text);
  assert.deepEqual(reply.json, { status: "success", data: { accepted, rejected: 0 } });
}

// Both encoders write -0 as the integer 0 where it is no packed column.
const numbers = [0, 1, -1, 127, 128, -32, -33, 255, 65535, 65536, 2 ** 31, -(2 ** 31),
  2 ** 32, 2 ** 53, -(2 ** 53), 0.1, -1e-300, 5e-324, Number.MAX_VALUE, Infinity, -Infinity, NaN];
const history = numbers.map((v, i) => [base + i * 13, v]);

for (const [name, pack] of Object.entries(encoders)) {
  const metric = (what) => `m_${name}_${what}`;

  test(`${name}: rows of every kind of number`, async () => {
    const labels = { __name__: metric("rows"), host: "ü", n: "x".repeat(300) };
    await push(pack({ rows: history.map(([t, v]) => [labels, t, v]) }), history.length);
    await expectStored(labels, history);
  });

  test(`${name}: a series with columns of plain lists`, async () => {
    const labels = { __name__: metric("series"), host: "a" };
    const series = [{ labels, t: history.map(([t]) => t), v: numbers }];
    await push(pack({ series }), history.length);
    await expectStored(labels, history);
  });

  test(`${name}: a series alone, a list of entries, start and step`, async () => {
    await push(pack({ labels: { __name__: metric("alone") }, t: base, v: 1.5 }), 1);
    await push(pack([
      { labels: { __name__: metric("alone") }, t: [base + 1, base + 2], v: [2.5, 3] },
      [{ __name__: metric("alone") }, base + 3, 4],
      { name: metric("alone"), start: base + 4, step: 5, v: [5, 6, 7] },
    ]), 6);
    await expectStored({ __name__: metric("alone") },
      [1.5, 2.5, 3, 4].map((v, i) => [base + i, v])
        .concat([[base + 4, 5], [base + 9, 6], [base + 14, 7]]));
  });

  test(`${name}: packed columns`, async () => {
    const labels = { __name__: metric("packed") };
    const all = [...history, [base + 1000, -0]];
    const series = [{ labels, t: new Times(all.map(([t]) => t)),
      v: new Values(all.map(([, v]) => v)) }];
    await push(pack({ series }), all.length);
    await expectStored(labels, all);
  });

  test(`${name}: packed columns of one element and of none`, async () => {
    const labels = { __name__: metric("one") };
    await push(pack({ series: [
      { labels, t: new Times([base]), v: new Values([8]) },
      { labels, t: new Times([]), v: new Values([]) },
    ] }), 1);
    await expectStored(labels, [[base, 8]]);
  });

  test(`${name}: a table by handles, with a time for all and with times`, async () => {
    const labels = [0, 1, 2].map((i) => ({ __name__: metric("table"), i: String(i) }));
    const define = Object.fromEntries(labels.map((one, i) => [String(i), one]));
    await push(pack({ define, table: {
      handles: new Handles([0, 1, 2]), t: base, v: new Values([1, 2, 3]) } }), 3);
    await push(pack({ define: labels.map((one, i) => [i, one]), table: {
      handles: [2, 1, 0], t: [base + 1, base + 2, base + 3], v: [4, 5, 6] } }), 3);
    await expectStored(labels[0], [[base, 1], [base + 3, 6]]);
    await expectStored(labels[1], [[base, 2], [base + 2, 5]]);
    await expectStored(labels[2], [[base, 3], [base + 1, 4]]);
  });

  test(`${name}: a session keeps handles between requests`, async () => {
    const opened = await post("/api/v1/push/session", "");
    const { session } = opened.json.data;
    const labels = { __name__: metric("session") };
    await push(pack({ session, define: { 7: labels } }), 0);
    await push(pack({ session, rows: [[7, base, 1]] }), 1);
    await push(pack({ session, table: { handles: new Handles([7]), t: new Times([base + 1]),
      v: new Values([2]) } }), 1);
    await push(pack({ session, series: [{ handle: 7, t: [base + 2], v: [3] }] }), 1);
    await expectStored(labels, [[base, 1], [base + 1, 2], [base + 2, 3]]);
    const unknown = await send(pack({ session: "0".repeat(32), rows: [[7, base, 1]] }));
    assert.equal(unknown.status, 409);
    assert.equal(unknown.json.status, "error");
  });

  test(`${name}: a push that is repeated is stored once and gets the first reply`, async () => {
    const labels = { __name__: metric("idem") };
    const body = pack({ producer: name, key: "k1",
      rows: [[labels, base, 1], [labels, "never", 2]] });
    const first = await send(body);
    assert.equal(first.status, 200, first.text);
    assert.deepEqual([first.json.data.accepted, first.json.data.rejected], [1, 1]);
    assert.equal(first.headers.get("Idempotent-Replay"), null);
    const other = pack({ producer: name, key: "k1", rows: [[labels, base + 1, 9]] });
    const second = await send(other);
    assert.equal(second.text, first.text);
    assert.equal(second.headers.get("Idempotent-Replay"), "true");
    await expectStored(labels, [[base, 1]]);
  });

  test(`${name}: bad rows are named, good ones kept`, async () => {
    const labels = { __name__: metric("bad") };
    const reply = await send(pack({ rows: [
      [labels, base, 1],
      [labels, base, "high"],
      [{ __name__: metric("bad"), number: 5 }, base, 1],
      [labels, base + 0.5, 1],
      [labels, base + 1],
      [99, base, 1],
      [labels, base + 400 * 86400_000, 1],
      [labels, base + 2, null],
      [labels, base + 3, true],
      [labels, base + 9, 2],
    ] }));
    assert.equal(reply.status, 200);
    const { accepted, rejected, rejects } = reply.json.data;
    assert.deepEqual([accepted, rejected], [2, 8]);
    assert.deepEqual(rejects.map((r) => [r.row, r.reason]), [
      [1, "value"], [2, "labels"], [3, "timestamp"], [4, "syntax"], [5, "handle"], [6, "future"],
      [7, "value"], [8, "value"]]);
    await expectStored(labels, [[base, 1], [base + 9, 2]]);
  });

  test(`${name}: undefined is as if it was not there`, async () => {
    const labels = { __name__: metric("undefined") };
    const before = Date.now();
    await push(pack({ key: undefined, producer: undefined, session: undefined,
      series: [{ labels, t: undefined, v: 5 }] }), 1);
    const reply = await send(pack({ rows: [[labels, base, undefined]] }));
    assert.deepEqual([reply.status, reply.json.data.rejects[0].reason], [200, "value"]);
    const found = await (await fetch(`${process.env.PL_URL}/api/v1/export?match[]=${
      metric("undefined")}`)).json();
    assert.equal(found.t.length, 1);
    assert.ok(found.t[0] >= before && found.t[0] <= Date.now());
  });

  test(`${name}: a Date is a time`, async () => {
    const labels = { __name__: metric("date") };
    const dates = [0, 1, 999].map((ms) => new Date(base + ms));
    await push(pack({ rows: [[labels, dates[0], 1]],
      series: [{ labels, t: [dates[1], dates[2]], v: [2, 3] }] }), 3);
    await expectStored(labels, [[base, 1], [base + 1, 2], [base + 999, 3]]);
  });
}

test("bigints are times and values", async () => {
  const labels = { __name__: "m_bigint" };
  await push(encode({ rows: [[labels, BigInt(base), 2n ** 60n], [labels, BigInt(base + 1), -5n]] },
    { useBigInt64: true }), 2);
  await push(msgpackr.pack({ rows: [[labels, BigInt(base + 2), 2n ** 63n],
    [labels, BigInt(base + 3), -(2n ** 63n)]] }), 2);
  await expectStored(labels, [[base, 2 ** 60], [base + 1, -5], [base + 2, 2 ** 63],
    [base + 3, -(2 ** 63)]]);
});

test("floats of 32 bits are the doubles they stand for", async () => {
  const labels = { __name__: "m_float32" };
  const values = [0.5, 0.1, 1234567.89, -2.5];
  const { ALWAYS, DECIMAL_FIT } = msgpackr.FLOAT32_OPTIONS;
  const packs = [
    (x) => encode(x, { forceFloat32: true, useBigInt64: true }),
    (x) => new msgpackr.Packr({ useRecords: false, useFloat32: ALWAYS }).pack(x),
  ];
  for (const [i, pack] of packs.entries()) {
    const t = values.map((_, k) => base + i * 100 + k);
    await push(pack({ series: [{ labels, t: t.map(BigInt), v: values }] }), 4);
  }
  const all = packs.flatMap((_, i) => values.map((v, k) => [base + i * 100 + k, Math.fround(v)]));
  await expectStored(labels, all);
  const fit = new msgpackr.Packr({ useRecords: false, useFloat32: DECIMAL_FIT });
  await push(fit.pack({ labels: { __name__: "m_fit" }, t: base, v: 0.25 }), 1);
  await expectStored({ __name__: "m_fit" }, [[base, 0.25]]);
});

test("Maps are maps: labels, definitions by number, the envelope", async () => {
  const labels = new Map([["__name__", "m_map"], ["a", "b"]]);
  const body = new Map([["define", new Map([[5, labels]])], ["rows", [[5, base, 1]]]]);
  await push(msgpackr.pack(body), 1);
  await expectStored({ __name__: "m_map", a: "b" }, [[base, 1]]);
});

test("typed arrays that are no ext columns are refused by name", async () => {
  const labels = { __name__: "m_typed" };
  const reply = await send(encode({ series: [{ labels, t: base, v: new Float64Array([1]) }] }));
  assert.equal(reply.status, 200);
  assert.equal(reply.json.data.rejects[0].reason, "value");
  await expectNothing(labels);
});

test("msgpackr's records are no msgpack: the error says how to send", async () => {
  const records = new msgpackr.Packr();
  const labels = { __name__: "m_records" };
  for (const document of [{ rows: [[labels, base, 1]] }, [{ labels, t: base, v: 1 }]]) {
    const reply = await send(records.pack(document));
    assert.equal(reply.status, 400);
    assert.equal(reply.json.errorType, "bad_data");
    assert.match(reply.json.error, /useRecords: false/);
  }
  await expectNothing(labels);
});

test("without a content type the bytes say what they are", async () => {
  const labels = { __name__: "m_untyped" };
  const reply = await post("/api/v1/push", encode({ rows: [[labels, base, 1]] }));
  assert.equal(reply.status, 200, reply.text);
  await expectStored(labels, [[base, 1]]);
});

test("a body that ends early is refused whole", async () => {
  const body = encode({ rows: [[{ __name__: "m_cut" }, base, 1]] });
  for (let n = 0; n < body.length; n++) {
    const reply = await send(body.subarray(0, n));
    assert.equal(reply.status, 400, `${n} bytes: ${reply.text}`);
    assert.equal(reply.json.status, "error");
  }
  await expectNothing({ __name__: "m_cut" });
});
