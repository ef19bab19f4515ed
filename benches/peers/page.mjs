#!/usr/bin/env node
// The tables, and the part of docs/benchmarks.md about native gateways with its plots.
//   benches/peers/page.mjs     writes them anew from docs/measured/native.json

import { isMain, kept, markdown, measuredOn, publish as written, range, terminal, whole } from "../report/page.mjs";
import { noise, sides, versus } from "../report/pairs.mjs";
import { bars, times } from "../report/plot.mjs";
import { spread } from "../report/statistics.mjs";
import { ABOUT, TITLES } from "./about.mjs";

/** What each gateway did: ours first, each with the ratio of ours to it, and what the upstream does without any. */
function gateways(id, measured) {
  const { pairs, direct } = measured.scenarios[id];
  const rows = sides(pairs);
  return direct.length ? [...rows, { name: "no gateway", direct: true, runs: direct }] : rows;
}

/** A table as lines of cells, the first of which is its head. */
function cells(id, measured) {
  const rows = gateways(id, measured);
  const ratio = ({ name, ours, direct }, of) => (ours || direct ? "" : versus(measured.scenarios[id].pairs, name, of));
  if (id === "latency") {
    const at = (runs, of, say = (value) => `${value.toFixed(2)} ms`) => say(spread(runs, of).median);
    // a rate that was not reached is no half load
    const pace = (runs) => (runs.every(({ rate, wanted }) => rate > 0.97 * wanted) ? "" : ` of ${at(runs, ({ wanted }) => wanted, whole)}`);
    const line = ({ runs, ...row }) => {
      const times = ["p50", "p99", "floor", "p999"].map((name) => at(runs, (run) => (name === "floor" ? run.floor.p99 : run[name])));
      return [row.name, `${at(runs, ({ rate }) => rate, whole)}${pace(runs)}`, ...times, ratio(row, "p99")];
    };
    return [["", "requests/s", "p50", "p99", "no gateway", "p99.9", "Portico's p99 is"], ...rows.map(line)];
  }
  const [unit, field] = id === "stream" ? ["MB/s", "megabytes"] : ["requests/s", "rate"];
  const line = (row) => {
    const at = spread(row.runs, (run) => run[field]);
    const mean = (of) => whole(spread(row.runs, of).median);
    return [row.name, whole(at.median), range(at, whole), mean(({ cpu }) => cpu), `${mean(({ busy }) => busy * 100)} %`, ratio(row)];
  };
  return [["", unit, "lowest to highest", "µs of processor each", "core busy", "Portico does"], ...rows.map(line)];
}

/** The same for a terminal. */
export const table = (id, measured) => terminal(cells(id, measured));

function part(measured) {
  const { versions, rounds, seconds, scenarios } = measured;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const ciphers = Object.entries(scenarios.tls.ciphers).map(([name, cipher]) => `${name} ${cipher}`).join(", ");
  const more = { tls: `Ciphers, as agreed with a client of OpenSSL that prefers none: ${ciphers}.` };
  const section = (id) => [`### ${TITLES[id]}`, [ABOUT[id], more[id]].filter(Boolean).join(" "), markdown(cells(id, measured))].join("\n\n");
  return [
    `${measuredOn(measured)}: ${rounds} rounds of ${seconds} s. ${named}. ${noise(scenarios)}`,
    "![Requests a second of each gateway in each scenario](benchmarks-throughput.svg)",
    "Medians; a line shows the lowest and the highest run.",
    ...Object.keys(scenarios).map((id) => (id === "latency" ? `${section(id)}\n\n![p50, p99 and p99.9 of each gateway at half load](benchmarks-latency.svg)` : section(id))),
  ].join("\n\n");
}

/** Writes the page's part and its plots; gives their paths. */
export function publish(measured) {
  const drawn = (id) => {
    const field = id === "stream" ? "megabytes" : "rate";
    const title = id === "stream" ? `${TITLES[id]}, MB/s` : `${TITLES[id]}, requests/s`;
    return { title, bars: gateways(id, measured).filter(({ direct }) => !direct).map(({ name, ours = name.startsWith("Portico"), runs }) => ({ name, ours, ...spread(runs, (run) => run[field]) })) };
  };
  const line = ({ name, runs }) => ({ name, ...Object.fromEntries(["p50", "p99", "p999"].map((at) => [at, spread(runs, (run) => run[at]).median])) });
  return written("native", part(measured), {
    "benchmarks-throughput.svg": bars(Object.keys(measured.scenarios).filter((id) => id !== "latency").map(drawn)),
    "benchmarks-latency.svg": times(gateways("latency", measured).map(line)),
  });
}

if (isMain(import.meta.url)) for (const path of publish(kept("native"))) console.log(path);
