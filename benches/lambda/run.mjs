#!/usr/bin/env node
// Portico's function beside Hono on Node and hello-worlds in Rust, at a Runtime API that is played here: what scripts/bench lambda runs.
//   benches/lambda/run.mjs [--rounds N] [--seconds S]
// Needs what that sets up and builds; PORTICO and BOOTSTRAP may name other binaries.

import { ok, strictEqual } from "node:assert";
import { statSync } from "node:fs";
import { another } from "../fresh.mjs";
import { tokens } from "../peers/place.mjs";
import { alternate, finish, head, packaged, show, turns, version, watch } from "../platforms.mjs";
import { loads } from "../report/pairs.mjs";
import { event, start } from "./api.mjs";
import { bootstrap, guarded, hello, started } from "./functions.mjs";
import { page, plots, starting, TITLES, UNIT } from "./page.mjs";

const { rounds, seconds } = turns({ rounds: 5, seconds: 4 });

async function answered(server, sent, status = 200) {
  const { statusCode, headers = {}, body } = JSON.parse((await server.invoke(sent)).body);
  strictEqual(statusCode, status, `${server.name}: ${body}`);
  if (status === 200) strictEqual(body, "hello", server.name);
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

/** It says who the token is for and gives the request an id, and refuses whoever has no good token. */
async function policies(server) {
  for (const token of [tokens.callers[0], another()]) {
    const headers = await answered(server, event(token));
    strictEqual(headers["x-user"], "caller-0", server.name);
    for (const name of ["x-request-id", "x-content-type-options", "strict-transport-security"]) ok(headers[name], `${server.name}: ${name}`);
  }
  for (const token of [undefined, tokens.forged, ...Object.values(tokens.refused)]) await answered(server, event(token), 401);
}

const same = event(tokens.callers[0]);
const scenarios = [
  { id: "hello", ...hello, check: (server) => answered(server, event()), sent: () => event() },
  { id: "repeated", ...guarded, check: policies, sent: () => same },
  { id: "fresh", ...guarded, check: policies, sent: () => event(another()) },
];

/** One event after another for so long. Events are made before the clock starts. */
async function once(server, sent, seconds) {
  const PORTION = 200;
  const [clock, took] = [watch(server.used), []];
  let passed = 0;
  while (passed < seconds * 1000) {
    const events = Array.from({ length: PORTION }, sent);
    const began = performance.now();
    for (const event of events) {
      const { took: waited, body } = await server.invoke(event);
      if (!body.includes('"statusCode":200')) throw new Error(`${server.name}: ${body}`);
      took.push(waited);
    }
    passed += performance.now() - began;
  }
  const [count, seen] = [took.length, clock()];
  took.sort((a, b) => a - b);
  const at = (share) => took[Math.floor(share * (count - 1))];
  return { count, rate: (count / passed) * 1000, ...seen(count), p50: at(0.5), p99: at(0.99), memory: server.resident() };
}

const versions = { Portico: version("lambda"), Hono: packaged(".", "hono"), "Node.js": process.versions.node, "aws-lambda-ric": packaged("benches/lambda", "aws-lambda-ric") };
const measured = { ...head(versions, { rounds, seconds }), bytes: statSync(bootstrap).size, scenarios: {} };

measured.starts = started.map(({ name }) => ({ name, runs: [] }));
for (let time = 0; time < rounds * 4; time++) {
  for (const [index, subject] of started.entries()) {
    const server = await start(subject);
    measured.starts[index].runs.push({ took: server.took, memory: server.resident() });
    await server.end();
  }
}
show(TITLES.starts, starting(measured));

for (const { id, ours, theirs, check, sent } of scenarios) {
  const us = await start(ours);
  const them = [];
  for (const peer of theirs) them.push(await start(peer));
  for (const server of [us, ...them]) {
    await check(server);
    await once(server, sent, 1);
  }
  const pairs = await alternate(us, them, rounds, (server) => once(server, sent, seconds));
  for (const server of [us, ...them]) await server.end();
  measured.scenarios[id] = { pairs };
  show(TITLES[id], loads(pairs, UNIT));
}
finish("lambda", measured, { page, plots });
process.exit(0);
