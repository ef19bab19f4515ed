// A configuration in KV that takes over without a deploy.

import { createHash } from "node:crypto";
import assert from "node:assert/strict";
import { bundle, gateway, test } from "./support/gateway.js";

const answering = (body) => ({ routes: [{ name: "a", match: { path: "/" }, respond: { body } }] });

/** The deployed gateway, which looks every so many seconds, and what writes to its store. */
async function deployed(t, seconds, options) {
  const bindings = { PORTICO_OVERRIDE_INTERVAL: `${seconds}` };
  const one = await gateway(t, answering("deployed"), { probe: true, bindings, ...options });
  const store = await one.miniflare.getKVNamespace("PORTICO");
  const body = async () => (await one.request("/")).text;
  const hash = async () => JSON.parse((await one.request("/-/health")).text).config;
  return { ...one, store, body, hash };
}

const hashed = (text) => JSON.parse(text).hash;

test("a bundle in KV takes over, and gives way when it is removed", async (t) => {
  const { store, body, hash, logged } = await deployed(t, 0);
  const before = await hash();
  const other = bundle(answering("override"));
  await store.put("bundle", other);
  // whoever comes first still gets the old one
  assert.equal(await body(), "deployed");
  await logged(`configuration ${hashed(other)} is in force`);
  assert.equal(await body(), "override");
  assert.equal(await hash(), hashed(other));
  await store.delete("bundle");
  assert.equal(await body(), "override");
  await logged(`configuration ${before} is in force`);
  assert.equal(await body(), "deployed");
  assert.equal(await hash(), before);
});

test("it is looked for once in an interval", async (t) => {
  const { body, probe } = await deployed(t, 60);
  const looks = async (clock) => {
    await probe({ clock });
    await Promise.all(Array.from({ length: 16 }, body));
    return (await probe()).reads;
  };
  assert.deepEqual(await looks(0), ["bundle"]);
  assert.deepEqual(await looks(50_000), ["bundle"]);
  assert.deepEqual(await looks(61_000), ["bundle", "bundle"]);
  assert.deepEqual(await looks(110_000), ["bundle", "bundle"]);
});

test("no response waits for it", async (t) => {
  const { body, probe } = await deployed(t, 0);
  await probe({ stuck: true });
  assert.equal(await body(), "deployed");
  assert.equal(await body(), "deployed");
  assert.deepEqual((await probe()).reads, ["bundle", "bundle"]);
});

test("without a namespace nothing is looked for", async (t) => {
  const { request, lines, logged } = await gateway(t, answering("deployed"), { kvNamespaces: [] });
  assert.equal((await request("/")).text, "deployed");
  await logged("request_id");
  assert.equal(lines.length, 1);
});

test("a bad bundle is refused, told and counted, and what was in force stays", async (t) => {
  const { store, body, hash, logged, lines } = await deployed(t, 0);
  const good = bundle(answering("override"));
  await store.put("bundle", good);
  await body();
  await logged(`configuration ${hashed(good)} is in force`);
  const told = () => lines.filter((line) => line.includes("is refused")).length;
  const changed = good.replace("override", "tampered");
  const unknown = JSON.stringify({ ...JSON.parse(good), more: true });
  // its hash fits: what was built is what is refused
  const config = '{"name":"x","portico":2}';
  const wrong = `{"bundle":1,"hash":"${createHash("sha256").update(config).digest("hex")}","config":${config}}`;
  const large = JSON.stringify({ ...JSON.parse(good), more: "x".repeat(5 << 20) });
  await store.put("bundle", large);
  await body();
  await logged("bundle: too_large");
  assert.equal(await body(), "override");
  for (const [index, bad] of ["{ not JSON", changed, unknown, wrong, "", "[]"].entries()) {
    await store.put("bundle", bad);
    await body();
    await logged(`(${index + 1} refused so far)`);
    assert.equal(await body(), "override");
    assert.equal(await hash(), hashed(good));
    // told once, however often it is seen
    assert.equal(told(), index + 1);
  }
  const mended = bundle(answering("mended"));
  await store.put("bundle", mended);
  await body();
  await logged(`configuration ${hashed(mended)} is in force`);
});

test("it outlives a panic", async (t) => {
  const { store, body, logged, probe, request } = await deployed(t, 60);
  const other = bundle(answering("override"));
  await store.put("bundle", other);
  await body();
  await logged(`configuration ${hashed(other)} is in force`);
  await probe({ trap: "fetch" });
  assert.equal((await request("/")).status, 500);
  assert.equal(await body(), "override");
  const { instances, reads } = await probe();
  assert.deepEqual({ instances, reads }, { instances: 2, reads: ["bundle"] });
});
