#!/usr/bin/env node
// Portico on workerd beside Hono and plain JavaScript, on one core each: what scripts/bench workers runs.
//   benches/cloudflare/run.mjs [--rounds N] [--seconds S]
// Needs what that sets up and builds; PORTICO may name other binaries.

import { execFileSync } from "node:child_process";
import { fresh, keys } from "../fresh.mjs";
import { plain, policies } from "../peers/check.mjs";
import { corner, tokens } from "../peers/place.mjs";
import { GATEWAY, start } from "../peers/processes.mjs";
import { upstream } from "../peers/upstream.mjs";
import { alternate, finish, flood, head, packaged, show, turns, version } from "../platforms.mjs";
import { loads } from "../report/pairs.mjs";
import { port } from "../support.mjs";
import { page, plots, starting, TITLES } from "./page.mjs";
import { starts } from "./start.mjs";
import { command, gateway, script, workerd } from "./workerd.mjs";

const { rounds, seconds } = turns({ rounds: 5, seconds: 4 });
const origin = await upstream();

const users = { jwt: { jwks: keys, issuer: "https://id.example/", audience: "shop", algorithms: ["ES256"] } };
const passed = { name: "plain", match: { path: "/plain" }, upstream: "origin" };
const guarded = (limit) => ({
  name: "policies",
  match: { path: "/policies" },
  upstream: "origin",
  policies: { auth: { any_of: ["users"] }, rate_limit: { by: "consumer", on_error: "deny", ...limit }, security_headers: {}, request: { headers: { set: { "X-User-Id": "${claims.sub}" } } } },
});
/** Portico with one route. */
const portico = (route) => (place) => ({
  modules: gateway(place, { upstreams: { origin: { targets: [{ url: origin.url }] } }, ...(route.policies && { identities: { users } }), routes: [route] }),
  text: { PORTICO_ACCESS_LOG: "off" },
  objects: route.policies !== undefined,
});
const js = (modules) => () => ({ modules, text: { ORIGIN: origin.url } });

/** What a limit costs is measured, not what it refuses. */
const LOOSE = { limit: 1_000_000, per: "1m" };
const WINDOWS = { "1m": 60_000, "1h": 3_600_000 };
const hono = (counter) => ({
  name: "Hono",
  as: ({ limit, per }) => () => ({ modules: script.hono, objects: true, text: { ORIGIN: origin.url, KEYS: JSON.stringify(keys.keys), COUNTER: counter, LIMIT: `${limit}`, WINDOW: `${WINDOWS[per]}` } }),
});
/** Those with a limit: `lease` is how many an isolate takes at once. */
const ours = (lease) => ({ name: "Portico", as: ({ limit, per }) => portico(guarded({ limit, per, ...(lease && { lease: Math.min(lease, limit) }) })) });

const bearer = { headers: { Authorization: `Bearer ${tokens.callers[0]}` } };
const once = { path: "/policies", check: policies, load: () => bearer };
const unlike = { ...once, load: () => fresh("/policies", seconds) };
const scenarios = [
  {
    id: "passed",
    path: "/plain",
    check: plain,
    load: () => ({}),
    ours: { name: "Portico", as: () => portico(passed) },
    theirs: [{ name: "plain JavaScript", as: () => js(script.plain) }, { name: "JavaScript, asking what a gateway must", as: () => js(script.seam) }],
  },
  { id: "memory", ...once, ours: ours(1_000), theirs: [hono("memory")] },
  { id: "fresh", ...unlike, ours: ours(1_000), theirs: [hono("memory")] },
  { id: "object", ...once, ours: ours(), theirs: [hono("object")] },
];

let started = 0;
async function begin({ name, as }, path, limit) {
  const place = corner(`worker-${started++}`);
  const at = await port();
  const url = `http://127.0.0.1:${at}`;
  return { ...(await start(name, GATEWAY, command(place, { port: at, ...as(limit)(place) }), `${url}${path}`, place.folder)), url, upstream: origin };
}

async function checked(subject, { path, check, id }) {
  const server = await begin(subject, path, LOOSE);
  const again = ({ limit: { requests, per } }) => begin(subject, path, { limit: requests, per });
  await check(server, { again }).catch((error) => {
    throw new Error(`${subject.name} is not as it should be for "${TITLES[id]}": ${error.message}\n${server.said().slice(-1000)}`, { cause: error });
  });
  return server;
}

const versions = { Portico: version("cloudflare"), workerd: execFileSync(workerd, ["--version"], { encoding: "utf8" }).trim().split(" ").pop(), Hono: packaged(".", "hono") };
const measured = { ...head(versions, { rounds, seconds }), scenarios: {} };
for (const scenario of scenarios) {
  const { id, path, load } = scenario;
  const us = await checked(scenario.ours, scenario);
  const them = [];
  for (const peer of scenario.theirs) them.push(await checked(peer, scenario));
  const send = (server, time) => flood(server, { url: `${server.url}${path}`, seconds: time, ...load() });
  for (const server of [us, ...them]) await send(server, 1);
  const pairs = await alternate(us, them, rounds, (server) => send(server, seconds));
  for (const server of [us, ...them]) await server.end();
  measured.scenarios[id] = { pairs };
  show(TITLES[id], loads(pairs));
}
await origin.end();
measured.starts = await starts(rounds * 4);
show(TITLES.starts, starting(measured));
finish("workers", measured, { page, plots });
process.exit(0);
