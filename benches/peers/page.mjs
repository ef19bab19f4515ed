#!/usr/bin/env node
// The tables, and the part of docs/benchmarks.md about native gateways with its plots.
//   benches/peers/page.mjs     writes them anew from docs/measured/native.json

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { ABOUT, TITLES } from "./about.mjs";
import { goals, ratios } from "./goals.mjs";
import { bars, times } from "./plot.mjs";
import { median, spread } from "./statistics.mjs";

const docs = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../docs");
const whole = (value) => Math.round(value).toLocaleString("en");
const range = ({ low, high }, say) => `${say(low)} to ${say(high)}`;

/** What each gateway did: ours first, each with the ratio of ours to it, and what the upstream does without any. */
function gateways(id, measured) {
  const { pairs, direct } = measured.scenarios[id];
  const names = [...new Set(pairs.map(({ peer }) => peer))];
  const of = (name) => pairs.filter(({ peer }) => peer === name).map(({ theirs }) => theirs);
  const rows = [{ name: "Portico", ours: true, runs: pairs.map(({ ours }) => ours) }, ...names.map((name) => ({ name, runs: of(name) }))];
  return direct.length ? [...rows, { name: "no gateway", direct: true, runs: direct }] : rows;
}

/** A table as lines of cells, the first of which is its head. */
function cells(id, measured) {
  const rows = gateways(id, measured);
  const versus = ({ name, ours, direct }, of) => {
    if (ours || direct) return "";
    const all = ratios(measured, id, name, of);
    return `${median(all).toFixed(2)} × (${range(spread(all, (ratio) => ratio), (ratio) => ratio.toFixed(2))})`;
  };
  if (id === "latency") {
    const at = (runs, of, say = (value) => `${value.toFixed(2)} ms`) => say(spread(runs, of).median);
    // a rate that was not reached is no half load
    const pace = (runs) => (runs.every(({ rate, wanted }) => rate > 0.97 * wanted) ? "" : ` of ${at(runs, ({ wanted }) => wanted, whole)}`);
    const line = ({ runs, ...row }) => {
      const times = ["p50", "p99", "floor", "p999"].map((name) => at(runs, (run) => (name === "floor" ? run.floor.p99 : run[name])));
      return [row.name, `${at(runs, ({ rate }) => rate, whole)}${pace(runs)}`, ...times, versus(row, "p99")];
    };
    return [["", "requests/s", "p50", "p99", "no gateway", "p99.9", "Portico's p99 is"], ...rows.map(line)];
  }
  const [unit, field] = id === "stream" ? ["MB/s", "megabytes"] : ["requests/s", "rate"];
  const line = (row) => {
    const at = spread(row.runs, (run) => run[field]);
    const mean = (of) => whole(spread(row.runs, of).median);
    return [row.name, whole(at.median), range(at, whole), mean(({ cpu }) => cpu), `${mean(({ busy }) => busy * 100)} %`, versus(row)];
  };
  return [["", unit, "lowest to highest", "µs of processor each", "core busy", "Portico does"], ...rows.map(line)];
}

const markdown = ([head, ...rows]) => [head, ["---", ...head.slice(1).map(() => "---:")], ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** A table for a terminal. */
export function table(id, measured) {
  const rows = cells(id, measured);
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  ").trimEnd()).join("\n");
}

function part(measured) {
  const { date, machine, versions, rounds, seconds, scenarios } = measured;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const ciphers = Object.entries(scenarios.tls.ciphers).map(([name, cipher]) => `${name} ${cipher}`).join(", ");
  const others = Object.values(scenarios).flatMap(({ pairs }) => pairs.flatMap(({ ours, theirs }) => [ours.others, theirs.others]));
  const noise = `Other processes, or other guests of the same host, had ${(median(others) * 100).toFixed(0)} % of the gateway's core in half of the runs, and up to ${(Math.max(...others) * 100).toFixed(0)} % in one.`;
  const more = { tls: `Ciphers, as agreed with a client of OpenSSL that prefers none: ${ciphers}.` };
  const section = (id) => [`### ${TITLES[id]}`, [ABOUT[id], more[id]].filter(Boolean).join(" "), markdown(cells(id, measured))].join("\n\n");
  return [
    `Measured on ${date} on ${machine.processor}, ${machine.cores} cores, Linux ${machine.kernel}: ${rounds} rounds of ${seconds} s. ${named}. ${noise}`,
    "### What was hoped for",
    markdown([["", "hoped for", "seen", ""], ...goals(measured)]),
    "![Requests a second of each gateway in each scenario](benchmarks-throughput.svg)",
    "Medians; a line shows the lowest and the highest run.",
    ...Object.keys(scenarios).map((id) => (id === "latency" ? `${section(id)}\n\n![p50, p99 and p99.9 of each gateway at half load](benchmarks-latency.svg)` : section(id))),
  ].join("\n\n");
}

/** Writes the page's part and its plots; gives their paths. */
export function publish(measured) {
  const page = join(docs, "benchmarks.md");
  const [before, rest] = readFileSync(page, "utf8").split("<!-- native -->");
  const after = rest.split("<!-- /native -->")[1];
  const drawn = (id) => {
    const field = id === "stream" ? "megabytes" : "rate";
    const title = id === "stream" ? `${TITLES[id]}, MB/s` : `${TITLES[id]}, requests/s`;
    return { title, bars: gateways(id, measured).filter(({ direct }) => !direct).map(({ name, ours = name.startsWith("Portico"), runs }) => ({ name, ours, ...spread(runs, (run) => run[field]) })) };
  };
  const line = ({ name, runs }) => ({ name, ...Object.fromEntries(["p50", "p99", "p999"].map((at) => [at, spread(runs, (run) => run[at]).median])) });
  const files = {
    "benchmarks.md": `${before}<!-- native -->\n\n${part(measured)}\n\n<!-- /native -->${after}`,
    "benchmarks-throughput.svg": bars(Object.keys(measured.scenarios).filter((id) => id !== "latency").map(drawn)),
    "benchmarks-latency.svg": times(gateways("latency", measured).map(line)),
  };
  for (const [name, text] of Object.entries(files)) writeFileSync(join(docs, name), text);
  return Object.keys(files).map((name) => join(docs, name));
}

if (process.argv[1] && resolve(process.argv[1]) === new URL(import.meta.url).pathname) {
  for (const path of publish(JSON.parse(readFileSync(join(docs, "measured/native.json"), "utf8")))) console.log(path);
}
