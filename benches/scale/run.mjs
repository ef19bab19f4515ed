#!/usr/bin/env node
// How memory and time of the native server grow with what it has: what scripts/bench scale runs first.
//   benches/scale/run.mjs [--rounds N] [--seconds S] [--only CURVE,…]
// With --only nothing is written. Needs what scripts/setup bench installs, cargo build --release (or PORTICO, the binary), and 12,000 open files
// (ulimit -n).

import { execFileSync } from "node:child_process";
import { parseArgs } from "node:util";
import * as nginx from "../peers/gateways/nginx.mjs";
import { version } from "../peers/gateways/portico.mjs";
import { LOAD } from "../peers/processes.mjs";
import { upstream } from "../peers/upstream.mjs";
import { flood, head } from "../platforms.mjs";
import { keep, terminal } from "../report/page.mjs";
import { curves } from "./curves.mjs";
import { publish, table } from "./page.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "4" }, only: { type: "string" } } });
const [rounds, seconds, only] = [Number(values.rounds), Number(values.seconds), values.only?.split(",")];
const wanted = curves.filter(({ id }) => !only || only.includes(id));
if (!(rounds >= 1 && seconds >= 1) || wanted.length < (only?.length ?? 1)) {
  console.error(`usage: run.mjs [--rounds N] [--seconds S] [--only CURVE,…]: ${curves.map(({ id }) => id).join(", ")}`);
  process.exit(2);
}
// connections are held by this process, which must not be in the gateway's way
execFileSync("taskset", ["-a", "-cp", LOAD, `${process.pid}`]);

/** One gateway from its start to its end: seconds until it listened, MiB, and what a request costs; of idle connections also what they cost the processor. */
async function once({ begin, check, load, prepare }, count) {
  const server = await begin(count, origin);
  const { path, ...more } = load(count);
  const send = { ...more, url: `${server.url}${path}` };
  await check(server, count);
  await flood(server, { ...send, seconds: 1 });
  const { after, idle } = (await prepare?.(server, count, send)) ?? {};
  const memory = server.memory();
  const { cpu, rate, busy } = await flood(server, { ...send, seconds });
  after?.();
  await server.end();
  return { load: server.load, memory, cpu, rate, busy, idle };
}

const origin = await upstream();
const measured = { ...head({ Portico: version(), nginx: nginx.version() }, { rounds, seconds }), curves: {} };
for (const { id, name, of, counts } of wanted) measured.curves[id] = { name, of, points: counts.map((count) => ({ count, runs: [] })) };
for (let round = 0; round < rounds; round++) {
  for (const curve of wanted) {
    const points = measured.curves[curve.id].points;
    // whatever changes on the machine meanwhile is no slope
    for (const { count, runs } of round % 2 ? points.toReversed() : points) {
      runs.push(await once(curve, count));
      const { load, memory, cpu, rate, busy, idle } = runs.at(-1);
      const more = [load === undefined ? "" : `, loaded in ${load.toFixed(2)} s`, idle === undefined ? "" : `, idle ${(idle * 100).toFixed(1)} %`];
      console.log(`  ${round + 1}/${rounds}  ${curve.name}, ${count} ${curve.of}: ${memory.toFixed(1)} MiB, ${cpu.toFixed(1)} µs, ${Math.round(rate)}/s (${(busy * 100).toFixed(0)} % busy)${more.join("")}`);
    }
  }
}
await origin.end();
for (const id of wanted.map(({ id }) => id)) console.log(`\n${id}\n${terminal(table(measured.curves[id]))}`);
if (!only) {
  keep("scale", measured);
  for (const path of publish()) console.log(path);
}
process.exit(0);
