// @influxdata/influxdb-client: its write API against /api/v2/write.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpError, InfluxDB, Point } from "@influxdata/influxdb-client";
import { base, expectNothing, expectStored, url } from "./lib.js";

const writer = (precision, options = {}) =>
  new InfluxDB({ url, token: "secret" })
    .getWriteApi("our org", "our bucket", precision, { maxRetries: 0, ...options });

test("integers, floats and booleans of a point are series with its tags", async () => {
  const api = writer("ms");
  api.useDefaultTags({ region: "eu west" });
  const want = [[], [], []];
  for (let i = 0; i < 50; i++) {
    const at = base + i * 250;
    const values = [Math.random() * 10 ** (i % 20 - 10), i * 1e12 - 5, i % 3 === 0];
    api.writePoint(new Point("ic room").tag("room", "the, attic=1 ü").floatField("temp", values[0])
      .intField("count", values[1]).booleanField("door", values[2]).timestamp(at));
    values.forEach((v, k) => want[k].push([at, Number(v)]));
  }
  await api.close();
  const labels = { region: "eu west", room: "the, attic=1 ü" };
  await expectStored({ __name__: "ic room_temp", ...labels }, want[0]);
  await expectStored({ __name__: "ic room_count", ...labels }, want[1]);
  await expectStored({ __name__: "ic room_door", ...labels }, want[2]);
});

for (const [precision, unit] of [["ns", 1e-6], ["us", 1e-3], ["ms", 1], ["s", 1000]]) {
  test(`times in ${precision} are exact to the millisecond`, async () => {
    const api = writer(precision);
    const want = [];
    for (let i = 0; i < 10; i++) {
      const at = base + i * (unit === 1000 ? 1000 : 37);
      const stamp = unit < 1 ? `${at}${"0".repeat(unit === 1e-6 ? 6 : 3)}` : at / unit;
      api.writePoint(new Point(`ip_${precision}`).floatField("v", i / 7).timestamp(stamp));
      want.push([at, i / 7]);
    }
    await api.close();
    await expectStored({ __name__: `ip_${precision}_v` }, want);
  });
}

test("dates, and points without a time, are stored near the time they name", async () => {
  const api = writer("ns");
  const at = new Date(base + 5);
  api.writePoint(new Point("id_date").uintField("v", Number.MAX_SAFE_INTEGER).timestamp(at));
  api.writePoint(new Point("id_now").floatField("v", 1));
  await api.close();
  await expectStored({ __name__: "id_date_v" }, [[base + 5, Number.MAX_SAFE_INTEGER]]);
});

test("batches go gzipped and are stored whole", async () => {
  let written = 0;
  const api = writer("ms", { gzipThreshold: 100, batchSize: 1000,
    writeSuccess: (lines) => { written += lines.length; } });
  const want = [];
  for (let i = 0; i < 3000; i++) {
    api.writeRecord(`ig,host=a v=${i}.25 ${base + i}`);
    want.push([base + i, i + 0.25]);
  }
  await api.close();
  const deadline = Date.now() + 20_000; // full batches are sent beside close()
  while (written < want.length && Date.now() < deadline) {
    await new Promise((resume) => setTimeout(resume, 5));
  }
  assert.equal(written, want.length);
  await expectStored({ __name__: "ig_v", host: "a" }, want, 100);
});

test("bad lines are an error of the client with code and words, the good ones are kept", async () => {
  let failure, failed;
  const api = writer("ms", {
    writeFailed(error, lines) {
      failure = error;
      failed = lines;
      return Promise.resolve();
    },
  });
  api.writeRecords([`ib,a=b v=1 ${base}`, "ib,a=b", `ib,a=b v=2 ${base + 1}`]);
  await api.flush();
  await api.close();
  assert.ok(failure instanceof HttpError);
  assert.equal(failure.statusCode, 400);
  assert.equal(failure.code, "invalid");
  assert.match(failure.message, /partial write: .*line 2/);
  assert.match(failure.message, /dropped=1/);
  assert.equal(failed.length, 3);
  await expectStored({ __name__: "ib_v", a: "b" }, [[base, 1], [base + 1, 2]]);
});

test("a string field is refused alone, with its reason", async () => {
  let failure;
  const api = writer("ms", { writeFailed: (e) => { failure = e; return Promise.resolve(); } });
  api.writePoint(new Point("is").floatField("v", 1).stringField("text", 'said "no"').timestamp(base));
  await api.close();
  assert.equal(failure.statusCode, 400);
  assert.match(failure.message, /field/);
  await expectStored({ __name__: "is_v" }, [[base, 1]]);
  await expectNothing({ __name__: "is_text" });
});

test("an error of the whole request has InfluxDB's code and message", async () => {
  let failure;
  const api = new InfluxDB({ url, token: "t", headers: { "X-Scope-OrgID": "no such tenant!" } })
    .getWriteApi("o", "b", "ms", {
      maxRetries: 0, writeFailed: (e) => { failure = e; return Promise.resolve(); },
    });
  api.writeRecord(`ie v=1 ${base}`);
  await api.close();
  assert.ok(failure instanceof HttpError, String(failure));
  assert.equal(failure.statusCode, 400);
  assert.equal(failure.code, "invalid");
  assert.match(failure.message, /no such tenant/);
});

test("the health the client may ask for is not needed to write", async () => {
  const ping = await fetch(`${url}/ping`);
  assert.equal(ping.status, 204);
  assert.ok(ping.headers.get("X-Influxdb-Version"));
});
