#!/usr/bin/env node
// The tables, and the part of docs/benchmarks.md about scale with its plots.
//   benches/scale/page.mjs     writes them anew from docs/measured/scale.json and soak.json

import { isMain, kept, markdown, measuredOn, publish as written, range, whole } from "../report/page.mjs";
import { curves as drawn } from "../report/curves.mjs";
import { median, spread } from "../report/statistics.mjs";

const TITLES = { routes: "Routes", consumers: "Consumers", keys: "Keys of a limit", connections: "Idle connections" };

const ABOUT = {
  routes: "Each has a path of its own and passes requests on. Requests are for up to 10,000 of them in turn.",
  consumers:
    "Each has an API key and asks in turn; the gateway answers by itself. In the configuration there is room for 90,000: a file may have 8 MiB. Of those in the store, here a directory, the gateway remembers 10,000 records and reads the others when they ask.",
  keys:
    "Each is the value of a header and comes in turn, none is refused, and none is idle; the gateway answers by itself. It counts about 100,000 keys at once: of more, those that are nearest to a full bucket go, and memory grows no further.",
  connections: "Each has made one request, then nobody asks on it. Besides there are 16 connections of load. Idle is the share of a core that the process takes while no connection is used.",
};

const say = { ms: (seconds) => `${(seconds * 1000).toFixed(seconds < 0.1 ? 1 : 0)} ms`, mib: (value) => `${value.toFixed(1)} MiB`, micros: (value) => `${value.toFixed(1)} µs`, percent: (value) => `${(value * 100).toFixed(1)} %` };

/** A curve as a table: rows of cells, the first of which is its head. */
export function table({ name, of, points }) {
  const [first] = points;
  const has = (field) => first.runs[0][field] !== undefined;
  const line = ({ count, runs }) => {
    const at = (field) => spread(runs, (run) => run[field]);
    const each = ((at("memory").median - median(first.runs.map(({ memory }) => memory))) * 2 ** 20) / (count - first.count);
    // runs of one round, which were near to each other in time
    const against = median(runs.map(({ cpu }, round) => cpu / first.runs[round].cpu));
    return [
      whole(count),
      ...(has("load") ? [say.ms(at("load").median)] : []),
      say.mib(at("memory").median),
      count === first.count ? "" : `${whole(each)} B`,
      say.micros(at("cpu").median),
      range(at("cpu"), say.micros),
      `${against.toFixed(2)} ×`,
      whole(at("rate").median),
      ...(has("idle") ? [say.percent(at("idle").median)] : []),
    ];
  };
  const title = [`${of}, ${name}`, ...(has("load") ? ["listens after"] : []), "memory", "each", "processor a request", "lowest to highest", `with ${whole(first.count)}`, "requests/s", ...(has("idle") ? ["idle"] : [])];
  return [title, ...points.map(line)];
}

const each = ({ curves }, of) => Object.values(curves).filter((curve) => curve.of === of);

function scale(measured) {
  const { versions, rounds, seconds } = measured;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const section = (of) => [`### ${TITLES[of]}`, ABOUT[of], ...each(measured, of).map((curve) => markdown(table(curve)))];
  return [
    `${measuredOn(measured)}: ${rounds} rounds of ${seconds} s, a new process for each point in each round. ${named}. Medians.`,
    "![Processor time of a request and memory, by how many routes, consumers, keys of a limit and idle connections there are](benchmarks-scale.svg)",
    ...Object.keys(TITLES).flatMap(section),
  ];
}

const points = (curve, field) => curve.points.map(({ count, runs }) => ({ x: count, ...spread(runs, (run) => run[field]) }));
const series = (measured, of, field) => each(measured, of).map((curve) => ({ name: curve.name, theirs: curve.name === "nginx", points: points(curve, field) }));
const panels = (measured) =>
  Object.entries(TITLES).flatMap(([of, title]) => [
    { title: `${title}: µs of processor a request`, series: series(measured, of, "cpu"), log: { x: true } },
    { title: `${title}: memory, MiB`, series: series(measured, of, "memory"), log: { x: true, y: true } },
  ]);

/** The medians of the third and of the last quarter of a soak. */
export function quarters({ samples }) {
  const quarter = (from) => median(samples.slice(Math.floor(samples.length * from), Math.floor(samples.length * (from + 0.25))).map(({ memory }) => memory));
  const [third, last] = [quarter(0.5), quarter(0.75)];
  return { third, last, grown: last / third - 1 };
}

/** The judgement, as a sentence. */
export function judged(soak) {
  const { third, last, grown } = quarters(soak);
  const sign = grown < 0 ? "−" : "+";
  return `Memory: ${say.mib(third)} in the third quarter, ${say.mib(last)} in the last one (medians): ${sign}${Math.abs(grown * 100).toFixed(1)} %.`;
}

function soaked(soak) {
  const { samples, rate, asked, versions } = soak;
  const all = Object.values(asked).reduce((a, b) => a + b);
  const mix = Object.entries(asked).map(([kind, count]) => `${kind} ${((count / all) * 100).toFixed(0)} %`).join(", ");
  return [
    "### Soak",
    `${measuredOn(soak)}: Portico ${versions.Portico}, ${whole(samples.at(-1).second / 60)} minutes of ${whole(rate)} requests a second: ${mix}. The cache may have 16 MiB. ${judged(soak)}`,
    "![Memory in each second of the soak](benchmarks-soak.svg)",
  ];
}

const soak = ({ samples }) => [{ title: "Memory in MiB, by minutes", wide: true, series: [{ name: "Portico", points: samples.map(({ second, memory }) => ({ x: second / 60, median: memory })) }], log: {} }];

/** Writes the page's part and its plots, of what was measured; gives their paths. */
export function publish() {
  const [curves, long] = [kept("scale"), kept("soak")];
  const text = [...(curves ? scale(curves) : []), ...(long ? soaked(long) : [])].join("\n\n");
  return written("scale", text, { ...(curves && { "benchmarks-scale.svg": drawn(panels(curves)) }), ...(long && { "benchmarks-soak.svg": drawn(soak(long)) }) });
}

if (isMain(import.meta.url)) for (const path of publish()) console.log(path);
