// API keys and key sets that are in KV, or with their issuer.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { folder, gateway, test } from "./support/gateway.js";
import { abandoned, event, origin } from "./support/http.js";
import { bearer, guarded, jwt, key } from "./support/tokens.js";

const KEY = "kM3fS0pT9w2xJ8vQ1zR7bN6cL5dH4gY0aE3iU9oP2sX";
const RECORD = `keys/${createHash("sha256").update(KEY).digest("hex")}`;
const api_key = { headers: { "X-API-Key": KEY } };

const MINUTE = 60_000;

/** A gateway and its store. */
async function stored(t, identity, options) {
  const one = await gateway(t, guarded(identity), { probe: true, ...options });
  return { ...one, store: await one.miniflare.getKVNamespace("PORTICO") };
}

/** Asks until it is so. */
async function until(holds) {
  while (!(await holds()));
}

/** The caller, or why not. */
const told = ({ status, text }) => (status === 200 ? text : `${status} ${JSON.parse(text).code}`);

test("an API key in KV works from when it is stored until it is removed", async (t) => {
  const { request, store, probe } = await stored(t, { api_key: { store: { fresh: "1m" } } });
  const ask = async () => told(await request("/", api_key));
  assert.equal(await ask(), "401 key_unknown");
  await store.put(RECORD, JSON.stringify({ consumer: "acme" }));
  // that there is none is remembered as long as anything else
  assert.equal(await ask(), "401 key_unknown");
  await probe({ clock: 2 * MINUTE });
  assert.equal(await ask(), "acme");
  await store.delete(RECORD);
  assert.equal(await ask(), "acme");
  await probe({ clock: 4 * MINUTE });
  assert.equal(await ask(), "401 key_unknown");
});

test("a key in KV is read once while it is fresh", async (t) => {
  const { request, store, probe } = await stored(t, { api_key: { store: { fresh: "1m" } } });
  await store.put(RECORD, JSON.stringify({ consumer: "acme" }));
  for (let sent = 0; sent < 20; sent += 1) assert.equal(told(await request("/", api_key)), "acme");
  const { reads } = await probe();
  assert.equal(reads.filter((name) => name === RECORD).length, 1);
});

test("a record in KV that cannot be read is the gateway's fault", async (t) => {
  const { request, store, logged } = await stored(t, { api_key: { store: {} } });
  await store.put(RECORD, "{ not JSON");
  assert.equal(told(await request("/", api_key)), "500 key_record_malformed");
  await logged("key_record_malformed");
});

test("without a namespace a key cannot be told", async (t) => {
  const { request, logged } = await gateway(t, guarded({ api_key: { store: {} } }), { kvNamespaces: [] });
  assert.equal(told(await request("/", api_key)), "503 store_unavailable");
  await logged("no KV namespace is bound as PORTICO");
});

test("a key set in KV takes effect when the old one is no longer fresh", async (t) => {
  const [first, second] = [key("ES256", "first"), key("ES256", "second")];
  const { request, store, probe } = await stored(t, jwt(["ES256"], { store: "staff", fresh: "1m", stale: "1h" }));
  await store.put("jwks/staff", JSON.stringify({ keys: [first.jwk] }));
  const ask = async ({ token }) => told(await request("/", bearer(token({ sub: "alice" }))));
  assert.equal(await ask(first), "alice");
  await store.put("jwks/staff", JSON.stringify({ keys: [second.jwk] }));
  assert.equal(await ask(first), "alice");
  await probe({ clock: 2 * MINUTE });
  // a key that is not there is reason to look at once
  assert.equal(await ask(second), "alice");
  assert.equal(await ask(first), "401 token_unknown_key");
});

test("an issuer is asked once by all who come at once, and its set is kept in KV", async (t) => {
  const known = key("ES256");
  const [asked, answer] = [event(), event()];
  let fetches = 0;
  const url = await origin(t, async (_, response) => {
    fetches += 1;
    asked.happen();
    await answer.happened;
    response.end(JSON.stringify({ keys: [known.jwk] }));
  });
  const jwks = `${url}/keys`;
  const { request, probe, store } = await stored(t, jwt(["ES256"], jwks));
  const callers = Array.from({ length: 16 }, (_, index) => request("/", bearer(known.token({ sub: `c${index}` }))));
  await asked.happened;
  await until(async () => (await probe()).requests === 16);
  answer.happen();
  assert.deepEqual((await Promise.all(callers)).map(told), Array.from({ length: 16 }, (_, index) => `c${index}`));
  assert.equal(fetches, 1);
  const kept = `jwks/url/${createHash("sha256").update(jwks).digest("hex")}`;
  await until(async () => (await store.list()).keys.some(({ name }) => name === kept));
});

test("the next instance has the set from KV, and starts although the issuer is down", async (t) => {
  const known = key("ES256");
  const persist = folder();
  let up = true;
  const url = await origin(t, (_, response) => response.writeHead(up ? 200 : 500).end(JSON.stringify({ keys: [known.jwk] })));
  const identity = jwt(["ES256"], url);
  const before = await stored(t, identity, { persist });
  assert.equal(told(await before.request("/", bearer(known.token({ sub: "alice" })))), "alice");
  await until(async () => (await before.store.list()).keys.length === 1);
  await before.end();
  up = false;
  const after = await stored(t, identity, { persist });
  assert.equal(told(await after.request("/", bearer(known.token({ sub: "bob" })))), "bob");
});

test("a client that leaves takes nobody's keys along", async (t) => {
  const known = key("ES256");
  const [asked, dropped] = [event(), event()];
  let fetches = 0;
  const url = await origin(t, (_, response) => {
    fetches += 1;
    if (fetches > 1) return response.end(JSON.stringify({ keys: [known.jwk] }));
    asked.happen();
    response.on("close", dropped.happen);
  });
  const { url: at, request, probe } = await stored(t, jwt(["ES256"], url));
  const leave = abandoned(at, bearer(known.token({ sub: "first" })));
  await asked.happened;
  leave();
  await dropped.happened;
  const second = request("/", bearer(known.token({ sub: "second" })));
  // longer than an issuer may take
  await probe({ clock: MINUTE });
  assert.equal(told(await second), "second");
});
