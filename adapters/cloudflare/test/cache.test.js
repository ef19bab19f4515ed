// The response cache: the data centre's own, KV behind it, and purges for the whole world.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { bundle, folder, gateway, start, test, worker } from "./support/gateway.js";
import { abandoned, event, origin } from "./support/http.js";

const MIB = 1024 * 1024;

const KEY = "kM3fS0pT9w2xJ8vQ1zR7bN6cL5dH4gY0aE3iU9oP2sX";

const sha256 = createHash("sha256").update(KEY).digest("hex");

/** What an order to purge carries. */
const ADMIN = { "X-API-Key": KEY };

/** A configuration that keeps what `url` sends, and takes orders to purge. */
function caching(url, cache = {}) {
  return {
    upstreams: { origin: { targets: [{ url }] } },
    identities: { admin: { api_key: { keys: { admin: { sha256 } } } } },
    routes: [
      { name: "purge", match: { path: "/purge", methods: ["POST"] }, purge: {}, policies: { auth: { any_of: ["admin"] } } },
      { name: "all", match: { path: "/{*rest}" }, upstream: "origin", policies: { cache: { ttl: "1h", ...cache } } },
    ],
  };
}

const options = { probe: true };

/** An upstream that answers with the number of the request; how many came. */
async function counting(t, answer = (response, number) => response.end(`${number}`)) {
  let count = 0;
  const url = await origin(t, (request, response) => {
    count += 1;
    answer(response, count, request);
  });
  return { url, count: () => count };
}

/** Asks until it is so. */
async function until(holds) {
  while (!(await holds()));
}

const hit = ({ headers }) => /^portico; hit/.test(headers["cache-status"]);

/** Asks for `target` of one site, wherever it listens: a key has the host. */
const ask = (one, target = "/") => one.request(target, { headers: { Host: "shop.example" } });

/** Asks until the answer comes from the cache. */
async function cached(one, target) {
  for (;;) {
    const response = await ask(one, target);
    assert.equal(response.status, 200);
    if (hit(response)) return response;
  }
}

/** Orders to purge. */
const purge = (one, order) => one.request("/purge", { method: "POST", headers: ADMIN, body: JSON.stringify(order) });

/** Two isolates of one data centre, with the same objects. */
async function two(t, config) {
  const first = { ...options, bundle: bundle(config) };
  const objects = { PORTICO_LIMITS: { className: "RateLimit", scriptName: "portico", useSQLite: true } };
  return start(t, [worker(first), worker({ ...first, name: "second", durableObjects: objects })]);
}

test("what one isolate stores, all of its data centre serve, and nobody keeps it in KV", async (t) => {
  const { url } = await counting(t);
  const [first, second] = await two(t, caching(url));
  const { text, headers } = await ask(first);
  assert.deepEqual([text, headers["cache-status"]], ["1", "portico; fwd=uri-miss; fwd-status=200; stored"]);
  const again = await cached(first);
  assert.equal((await ask(second)).headers["cache-status"], again.headers["cache-status"]);
  assert.equal((await (await first.miniflare.getKVNamespace("PORTICO")).list()).keys.length, 0);
});

test("a shared cache is in KV: another data centre serves it, and keeps what it found there", async (t) => {
  const { url, count } = await counting(t);
  const [persist, config] = [folder(), caching(url, { store: "shared" })];
  const near = await gateway(t, config, { ...options, persist });
  await cached(near);
  const store = await near.miniflare.getKVNamespace("PORTICO");
  await until(async () => (await store.list()).keys.length === 1);
  await near.end();
  // what the first data centre has by itself
  rmSync(join(persist, "cache"), { recursive: true });
  const far = await gateway(t, config, { ...options, persist });
  const asked = count();
  assert.ok(hit(await ask(far)));
  const there = await far.miniflare.getKVNamespace("PORTICO");
  const [{ name }] = (await there.list()).keys;
  await there.delete(name);
  await cached(far);
  assert.equal(count(), asked);
});

test("where there is no cache of a data centre, the shared one is enough", async (t) => {
  const { url, count } = await counting(t);
  const shared = await gateway(t, caching(url, { store: "shared" }), { ...options, cache: false });
  await cached(shared);
  const asked = count();
  for (let sent = 0; sent < 10; sent += 1) assert.ok(hit(await ask(shared)));
  assert.equal(count(), asked);
  const local = await gateway(t, caching(url), { ...options, cache: false });
  for (let sent = 0; sent < 3; sent += 1) assert.ok(!hit(await ask(local)));
});

test("without a namespace a shared cache is the data centre's, and the log says so", async (t) => {
  const { url } = await counting(t);
  const one = await gateway(t, caching(url, { store: "shared" }), { kvNamespaces: [] });
  await cached(one);
  await one.logged("no KV namespace is bound as PORTICO");
});

test("what is purged through one isolate is gone there at once, and in the others when they have looked", async (t) => {
  const { url, count } = await counting(t, (response, number) => response.setHeader("Surrogate-Key", "a b").end(`${number}`));
  for (const store of ["local", "shared"]) {
    const [first, second] = await two(t, caching(url, { store }));
    await cached(first);
    await cached(second);
    const before = count();
    assert.deepEqual(JSON.parse((await purge(first, { tags: ["b"] })).text), { purged: 1, soft: false });
    assert.ok(!hit(await ask(first)));
    assert.equal(count(), before + 1);
    // stored anew by now, for all
    await cached(first);
    assert.equal((await purge(first, { everything: true })).status, 200);
    // it looks behind a response, or before it if it must
    await second.probe({ clock: 11_000 });
    await until(async () => !hit(await ask(second)));
  }
});

test("purges at once are all there, also for an object that was started anew", async (t) => {
  const { url } = await counting(t, (response, number, request) => response.end(`${number} ${request.url}`));
  const persist = folder();
  const config = caching(url, { store: "shared" });
  const targets = Array.from({ length: 32 }, (_, index) => `/${index}`);
  const before = await gateway(t, config, { ...options, persist });
  await Promise.all(targets.map((target) => cached(before, target)));
  const purged = await Promise.all(targets.map((target) => purge(before, { urls: [`http://shop.example${target}`] })));
  assert.ok(purged.every(({ status }) => status === 200));
  await before.end();
  const after = await gateway(t, config, { ...options, persist });
  for (const target of targets) assert.ok(!hit(await ask(after, target)));
});

test("without the object nothing is said to be purged", async (t) => {
  const { url } = await counting(t);
  const one = await gateway(t, caching(url), { ...options, durableObjects: {} });
  await cached(one);
  assert.equal((await purge(one, { everything: true })).status, 503);
  assert.ok(hit(await ask(one)));
});

test("64 clients at once ask the upstream once", async (t) => {
  const [asked, answer] = [event(), event()];
  const { url, count } = await counting(t, async (response) => {
    asked.happen();
    await answer.happened;
    response.end("slow");
  });
  const one = await gateway(t, caching(url), options);
  const clients = Array.from({ length: 64 }, () => ask(one));
  await asked.happened;
  await until(async () => (await one.probe()).requests === 64);
  answer.happen();
  assert.ok((await Promise.all(clients)).every(({ text }) => text === "slow"));
  assert.equal(count(), 1);
});

test("a client that leaves in the middle of a body takes nothing along", async (t) => {
  const [half, left] = [event(), event()];
  const { url, count } = await counting(t, async (response) => {
    response.write("first ");
    half.happen();
    await left.happened;
    response.end("second");
  });
  const one = await gateway(t, caching(url), options);
  const leave = abandoned(one.url, { headers: { Host: "shop.example" } });
  await half.happened;
  leave();
  left.happen();
  assert.equal((await cached(one)).text, "first second");
  assert.ok(count() <= 2, `${count()} requests`);
});

test("a body of more than 8 MiB passes and is not kept", async (t) => {
  const { url, count } = await counting(t, (response, _, { url }) => {
    const length = url === "/kept" ? 7 * MIB : 9 * MIB;
    response.setHeader("Content-Length", length).end(Buffer.alloc(length, "a"));
  });
  const one = await gateway(t, caching(url, { max_size: "64MiB" }), options);
  assert.equal((await cached(one, "/kept")).body.length, 7 * MIB);
  const before = count();
  for (let sent = 0; sent < 3; sent += 1) assert.equal((await ask(one, "/long")).body.length, 9 * MIB);
  assert.equal(count(), before + 3);
});
