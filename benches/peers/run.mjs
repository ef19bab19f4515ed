#!/usr/bin/env node
// Portico beside other gateways, on one core each: what scripts/bench native runs.
//   benches/peers/run.mjs [--rounds N] [--seconds S] [--only SCENARIO,…]
// With --only nothing is written. Needs what scripts/setup bench installs, and cargo build --release (or PORTICO, the binary).

import { writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { measure } from "./measure.mjs";
import { publish, table } from "./page.mjs";
import { root } from "./place.mjs";
import { peers, portico, scenarios } from "./scenarios.mjs";
import { upstream } from "./upstream.mjs";

const { values } = parseArgs({ options: { rounds: { type: "string", default: "5" }, seconds: { type: "string", default: "4" }, only: { type: "string" } } });
const [rounds, seconds] = [Number(values.rounds), Number(values.seconds)];
const only = values.only?.split(",");
const unknown = only?.filter((id) => !scenarios.some((scenario) => scenario.id === id)) ?? [];
if (!(rounds >= 1 && seconds >= 1) || unknown.length) {
  console.error(`usage: run.mjs [--rounds N] [--seconds S] [--only SCENARIO,…]: ${scenarios.map(({ id }) => id).join(", ")}`);
  process.exit(2);
}

const versions = Object.fromEntries([portico, ...peers].map(({ name, version }) => [name, version()]));
const machine = { processor: cpus()[0].model, cores: cpus().length, kernel: release().match(/^[\d.]+/)[0] };
const measured = { date: new Date().toISOString().slice(0, 10), machine, versions, rounds, seconds, scenarios: {} };

const origin = await upstream();
for (const scenario of scenarios.filter(({ id }) => !only || only.includes(id))) {
  console.log(`\n${scenario.title}`);
  const say = ({ rate, p99 }) => (p99 === undefined ? `${Math.round(rate).toLocaleString("en")}/s` : `p99 ${p99.toFixed(2)} ms`);
  const told = ({ peer, round, ours, theirs }) => console.log(`  ${round + 1}/${rounds * scenario.often}  ${peer} ${say(theirs)}, Portico ${say(ours)}`);
  measured.scenarios[scenario.id] = await measure(scenario, origin, { rounds, seconds }, told);
  console.log(`\n${table(scenario.id, measured)}`);
}
await origin.end();
if (!only) {
  const file = join(root, "docs/measured/native.json");
  writeFileSync(file, `${JSON.stringify(measured, null, 1)}\n`);
  for (const path of publish(measured)) console.log(path);
}
process.exit(0);
