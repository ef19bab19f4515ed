// What there can be many of, and a gateway with so many of each: `begin(count, origin)` starts it, `load` is what is asked of it then (`flood` of
// platforms.mjs), `prepare` what has to happen before its memory is looked at. `check` throws if it does not do what is measured.

import { ok, strictEqual } from "node:assert";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { ask } from "../peers/ask.mjs";
import * as nginx from "../peers/gateways/nginx.mjs";
import { corner, tls } from "../peers/place.mjs";
import { flood } from "../platforms.mjs";
import { hold } from "./connections.mjs";
import { portico, serve } from "./gateway.mjs";

const { folder, write } = corner("scale");
const many = (count, of) => Array.from({ length: count }, (_, index) => of(index));
const upstreams = ({ port }) => ({ origin: { targets: [{ url: `http://127.0.0.1:${port}` }], timeout: "30s" } });
const answers = { respond: { status: 200, body: "0123456789abcdef" } };
const config = (more) => ({ portico: 1, name: "scale", ...more });
const bearer = (name) => ({ Authorization: `Bearer ${name}` });
const status = async (url, headers) => (await ask(url, headers)).status;

/** Requests as lines, in files that are written once. */
const files = new Map();
function lines(name, count, of) {
  if (!files.has(name)) files.set(name, write(name, many(count, of).join("")));
  return files.get(name);
}

// Routes, asked for in turn: of more than 10,000 as many, spread over all.
const ASKED = 10_000;
const step = (count) => Math.max(1, count / ASKED);
const through = (count) => ({ path: "/r0/", requests: lines(`routes-${count}`, Math.min(count, ASKED), (index) => `/r${index * step(count)}/items/7\n`) });
const route = (index) => ({ name: `r${index}`, match: { path: `/r${index}/{*rest}` }, upstream: "origin" });
async function routed({ url }, count) {
  strictEqual(await status(`${url}/r${count - 1}/items/7`), 200);
  ok((await status(`${url}/r${count}/items/7`)) >= 400);
}

// Consumers: their key is `Bearer NAME`, because a line of requests can have that (peers/cycle.lua). All of them ask in turn.
const hash = (name) => createHash("sha256").update(`Bearer ${name}`).digest("hex");
const guarded = (api_key) => config({ identities: { keys: { api_key: { header: "Authorization", ...api_key } } }, routes: [{ name: "a", match: { path: "/a" }, ...answers, policies: { auth: { any_of: ["keys"] } } }] });
const callers = (count) => ({ path: "/a", requests: lines(`callers-${count}`, count, (index) => `/a c${index}\n`) });
async function known({ url }, count) {
  strictEqual(await status(`${url}/a`, bearer(`c${count - 1}`)), 200);
  strictEqual(await status(`${url}/a`, bearer(`c${count}`)), 401);
}
/** The store with all their records, which is filled as more are needed: a gateway finds only those who ask. */
let stored = 0;
function store(count) {
  const keys = join(folder, "values/keys");
  mkdirSync(keys, { recursive: true });
  for (; stored < count; stored++) writeFileSync(join(keys, hash(`c${stored}`)), JSON.stringify({ consumer: `c${stored}` }));
  return join(folder, "values");
}

// Keys of a limit. None is ever idle, whose memory would be given back, and none refused: the more there are, the less each may and does ask.
const UNITS = 400_000_000;
const limited = (count, more) => config({ routes: [{ name: "a", match: { path: "/a" }, ...answers, policies: { rate_limit: { limit: UNITS / count, per: "1d", by: { header: "Authorization" }, ...more } } }] });
async function counted({ url }) {
  const [first, second] = [await ask(`${url}/a`, bearer("k0")), await ask(`${url}/a`, bearer("other"))];
  for (const { headers } of [first, second]) ok(headers.ratelimit, "it is counted");
}
/** Each key is seen once at least; so many a second always go. */
const LEAST = 10_000;
async function fill(server, count, load) {
  for (let seen = 0; seen < count; ) seen += (await flood(server, { ...load, seconds: Math.ceil((count - seen) / LEAST / 3) })).count;
}
const limit = (id, name, counts, more) => ({
  id, name, of: "keys", counts,
  begin: (count) => portico(limited(count, more), { path: "/a" }),
  check: counted,
  load: (count) => ({ path: "/a", requests: lines(`keys-${count}`, count, (index) => `/a k${index}\n`) }),
  prepare: fill,
});

// Connections that are open beside those of the load. What the gateway does meanwhile with nobody asking is looked at for so many seconds.
const IDLE = 5;
const COUNTS = [10, 100, 1_000, 10_000];
async function idle(server, count) {
  const held = await hold(server, "/plain", count);
  await wait(1_000);
  const before = server.used();
  await wait(IDLE * 1000);
  return { idle: (server.used() - before) / IDLE, after: held.end };
}
const held = { of: "connections", counts: COUNTS, check: async ({ url }) => strictEqual(await status(`${url}/plain`), 200), load: () => ({ path: "/plain" }), prepare: idle };
/** nginx, which may have as many connections. */
const peer = (kind, { port: upstream }, path, routes) =>
  serve("nginx", (at) => nginx.command({ ...at, kind, upstream, routes, tls, write: (file, text) => at.write(file, text.replace("worker_connections 4096", "worker_connections 20000")) }), path);

export const curves = [
  { id: "routes", name: "Portico", of: "routes", counts: [10, 100, 1_000, 10_000, 100_000], begin: (count, origin) => portico(config({ upstreams: upstreams(origin), routes: many(count, route) }), { path: "/r0/" }), check: routed, load: through },
  { id: "routes-nginx", name: "nginx", of: "routes", counts: [10, 1_000, 10_000], begin: (count, origin) => peer("routes", origin, "/r0/", count), check: async ({ url }, count) => strictEqual(await status(`${url}/r${count - 1}/items/7`), 200), load: through },
  // as many as a file of 8 MiB has room for, the largest that is read
  { id: "consumers", name: "in the configuration", of: "consumers", counts: [10, 100, 1_000, 10_000, 90_000], begin: (count) => portico(guarded({ keys: Object.fromEntries(many(count, (index) => [`c${index}`, { sha256: hash(`c${index}`) }])) }), { path: "/a" }), check: known, load: callers },
  { id: "consumers-store", name: "in the store", of: "consumers", counts: [10, 100, 1_000, 10_000, 100_000], begin: (count) => portico(guarded({ store: { fresh: "1d", stale: "1d" } }), { options: ["--values", store(count)], path: "/a" }), check: async ({ url }, count) => strictEqual(await status(`${url}/a`, bearer(`c${count - 1}`)), 200), load: callers },
  limit("keys", "gcra", [1_000, 10_000, 100_000, 1_000_000], {}),
  limit("keys-window", "sliding_window", [1_000, 10_000, 100_000], { algorithm: "sliding_window" }),
  { id: "connections", name: "Portico", ...held, begin: (_, origin) => portico(config({ upstreams: upstreams(origin), routes: [{ name: "plain", match: { path: "/plain" }, upstream: "origin" }] }), { path: "/plain" }) },
  { id: "connections-nginx", name: "nginx", ...held, begin: (_, origin) => peer("plain", origin, "/plain") },
];
