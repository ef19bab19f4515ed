#!/usr/bin/env node
// The native server under mixed load for long, and its memory in each second: what scripts/bench scale runs last.
//   benches/scale/soak.mjs [--minutes N] [--rate R] [--dry]
// With --dry nothing is written. Needs the same as run.mjs.

import { deepStrictEqual } from "node:assert";
import { execFileSync } from "node:child_process";
import http from "node:http";
import { setTimeout as wait } from "node:timers/promises";
import { parseArgs } from "node:util";
import { version } from "../peers/gateways/portico.mjs";
import { corner, token, tokens } from "../peers/place.mjs";
import { LOAD } from "../peers/processes.mjs";
import { upstream } from "../peers/upstream.mjs";
import { another, keys } from "../fresh.mjs";
import { keep, setting } from "../report/page.mjs";
import { portico } from "./gateway.mjs";
import { judged, publish } from "./page.mjs";

const { values } = parseArgs({ options: { minutes: { type: "string", default: "10" }, rate: { type: "string", default: "1000" }, dry: { type: "boolean" } } });
const [minutes, rate] = [Number(values.minutes), Number(values.rate)];
if (!(minutes > 0 && rate >= 100)) {
  console.error("usage: soak.mjs [--minutes N] [--rate R] [--dry]: R requests a second, 100 at least");
  process.exit(2);
}
execFileSync("taskset", ["-a", "-cp", LOAD, `${process.pid}`]);

const origin = await upstream();
const { write } = corner("soak");
const route = (name, policies) => ({ name, match: { path: `/${name}/{*rest}` }, upstream: "origin", policies });
const config = {
  portico: 1,
  name: "soak",
  upstreams: { origin: { targets: [{ url: `http://127.0.0.1:${origin.port}` }], timeout: "30s" } },
  identities: { users: { jwt: { algorithms: ["ES256"], jwks: write("keys.json", JSON.stringify(keys)), issuer: token.issuer, audience: token.audience } } },
  routes: [
    route("plain", {}),
    { ...route("stream", {}), match: { path: "/stream" } },
    route("guarded", { auth: { any_of: ["users"] }, rate_limit: { limit: 1_000_000, per: "1s", by: "consumer" }, request: { headers: { set: { "X-User-Id": "${claims.sub}" } } }, security_headers: {} }),
    // a key that came once is idle after six seconds, and forgotten a minute later
    route("limited", { rate_limit: { limit: 10, per: "1m", by: { header: "X-Caller" } } }),
    route("windowed", { rate_limit: { limit: 10, per: "1m", algorithm: "sliding_window", by: { header: "X-Caller" } } }),
    route("cached", { cache: { ttl: "1h" } }),
  ],
};

const agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
let number = 0;
/** What is asked: how many of a hundred requests, and the status that must come. */
const KINDS = {
  "plain": { of: 25, path: () => "/plain/a", status: 200 },
  "a token again": { of: 15, path: () => "/guarded/a", headers: () => bearer(tokens.callers[number % 100]), status: 200 },
  "a new token": { of: 10, path: () => "/guarded/a", headers: () => bearer(another(`caller-${number}`)), status: 200 },
  "a bad token": { of: 5, path: () => "/guarded/a", headers: () => bearer(tokens.forged), status: 401 },
  "a new key of a limit": { of: 10, path: () => (number % 2 ? "/limited/a" : "/windowed/a"), headers: () => ({ "X-Caller": `caller-${number}` }), status: 200 },
  "a new path of a cache": { of: 10, path: () => `/cached/${number}`, status: 200 },
  "a path of a cache again": { of: 10, path: () => `/cached/a${number % 50}`, status: 200 },
  "no route": { of: 5, path: () => `/none/${number}`, status: 404 },
  "a new connection": { of: 5, path: () => "/plain/b", status: 200, agent: () => new http.Agent() },
  "aborted": { of: 5, path: () => "/stream", status: 200, aborted: true },
};
/** A hundred of them, those of each kind spread over all. */
const order = Object.entries(KINDS)
  .flatMap(([kind, { of }]) => Array.from({ length: of }, (_, index) => [kind, (index + 0.5) / of]))
  .sort(([, one], [, other]) => one - other)
  .map(([kind]) => kind);

const server = await portico(config, { options: ["--cache-size", "16MiB"], path: "/plain/a" });
const asked = Object.fromEntries(Object.keys(KINDS).map((kind) => [kind, 0]));
const wrong = new Map();
let open = 0;

function send(kind) {
  const { path, headers, status, agent: own, aborted } = KINDS[kind];
  number++;
  asked[kind]++;
  open++;
  const failed = (what) => wrong.set(`${kind}: ${what}`, (wrong.get(`${kind}: ${what}`) ?? 0) + 1);
  const request = http.get(`${server.url}${path()}`, { agent: own?.() ?? agent, headers: headers?.() }, (response) => {
    if (response.statusCode !== status) failed(response.statusCode);
    if (aborted) response.once("data", () => request.destroy());
    response.on("error", () => {}).resume();
  });
  request.once("error", (error) => aborted || failed(error.message)).once("close", () => open--);
}

/** More than this under way, and the gateway does not keep up: the rate would not be what it is said to be. */
const MOST = 1_000;
const samples = [];
const began = performance.now();
const elapsed = () => (performance.now() - began) / 1000;
while (elapsed() < minutes * 60) {
  while (number < elapsed() * rate && open < MOST) send(order[number % order.length]);
  if (elapsed() >= samples.length + 1) samples.push({ second: Math.floor(elapsed()), memory: server.memory(), open });
  await wait(5);
}
const seen = number / elapsed();
await wait(1_000);
const cpu = (server.used() / number) * 1e6;
await server.end();
await origin.end();

const soak = { ...setting(), versions: { Portico: version() }, rate: seen, cpu, asked, samples };
console.log(`${number} requests, ${seen.toFixed(0)} a second, ${cpu.toFixed(0)} µs of processor each; ${JSON.stringify(asked)}`);
console.log(samples.filter((_, index) => index % Math.ceil(samples.length / 20) === 0).map(({ second, memory }) => `${second} s ${memory.toFixed(1)} MiB`).join(", "));
console.log(judged(soak));
deepStrictEqual(Object.fromEntries(wrong), {}, "answers that should not be");
if (seen < 0.97 * rate) throw new Error(`${seen.toFixed(0)} requests a second, not ${rate}: the load was not what it should be`);
if (!values.dry) {
  keep("soak", soak);
  for (const path of publish()) console.log(path);
}
process.exit(0);
