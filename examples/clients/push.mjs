// Push from JavaScript (Node 18 or newer): node push.mjs http://127.0.0.1:1969
// JSON needs nothing; msgpack needs `npm install @msgpack/msgpack`.
import { randomUUID } from "node:crypto";

const url = process.argv[2] ?? "http://127.0.0.1:1969";
const now = Math.floor(Date.now() / 1000) * 1000;

async function push(body, type) {
  const reply = await fetch(`${url}/api/v1/push`, {
    method: "POST", body,
    headers: { "Content-Type": type, "Idempotency-Key": randomUUID() },
  });
  if (!reply.ok) throw new Error(`${reply.status} ${await reply.text()}`);
  return (await reply.json()).data;
}

console.log(await push(JSON.stringify({
  series: [{
    labels: { __name__: "example_js", room: "kitchen" },
    t: [now - 1000, now], v: [20.5, 20.6],
  }],
}), "application/json"));

let msgpack = null;
try {
  msgpack = await import("@msgpack/msgpack");
} catch {
  console.log("@msgpack/msgpack is not installed: JSON only");
}
if (msgpack) {
  // Columns as ext types: 2 = times (i64), 3 = values (f64), little-endian as in memory.
  const times = BigInt64Array.from({ length: 100 }, (_, i) => BigInt(now - i * 1000));
  const values = Float64Array.from({ length: 100 }, (_, i) => 12 + i / 10);
  const packed = (type, column) => new msgpack.ExtData(type, new Uint8Array(column.buffer));
  console.log(await push(msgpack.encode({
    labels: { __name__: "example_js", room: "cellar" }, t: packed(2, times), v: packed(3, values),
  }), "application/msgpack"));
}
