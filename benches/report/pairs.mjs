// Pairs of runs: ours and another's, one right after the other. `{ peer, round, ours, theirs }`, as measure.mjs of each part makes them.

import { markdown, measuredOn, range, whole } from "./page.mjs";
import { median, spread } from "./statistics.mjs";

/** Runs of each: ours first, then the others in the order in which they were met. */
export function sides(pairs) {
  const names = [...new Set(pairs.map(({ peer }) => peer))];
  const of = (name) => pairs.filter(({ peer }) => peer === name).map(({ theirs }) => theirs);
  return [{ name: "Portico", ours: true, runs: pairs.map(({ ours }) => ours) }, ...names.map((name) => ({ name, runs: of(name) }))];
}

/** Ours to theirs, pair by pair. */
export const ratios = (pairs, peer, of = "rate") => pairs.filter((pair) => pair.peer === peer).map(({ ours, theirs }) => ours[of] / theirs[of]);

/** Their median and range, as a cell. */
export function versus(pairs, peer, of) {
  const all = ratios(pairs, peer, of);
  return `${median(all).toFixed(2)} × (${range(spread(all, (ratio) => ratio), (ratio) => ratio.toFixed(2))})`;
}

/** A sentence on what else the machine did: `others` of each run is the share of its core that somebody else had. */
export function noise(scenarios) {
  const others = Object.values(scenarios).flatMap(({ pairs }) => pairs.flatMap(({ ours, theirs }) => [ours.others * 100, theirs.others * 100]));
  return `Other processes, or other guests of the same host, had ${whole(median(others))} % of the measured core in half of the runs, and up to ${whole(Math.max(...others))} % in one.`;
}

export const millis = (value) => `${value.toFixed(value < 10 ? 2 : 1)} ms`;

export const mebibytes = (value) => `${value.toFixed(1)} MiB`;

/** Runs of load (`flood` of platforms.mjs, or what Lambda has instead) as a table: rows of cells, the first of which is its head. Of times and memory only what was measured. */
export function loads(pairs, unit = "requests/s") {
  const more = Object.entries({ p50: millis, p99: millis, memory: mebibytes }).filter(([field]) => field in pairs[0].ours);
  const line = ({ name, ours, runs }) => {
    const at = (of) => spread(runs, of);
    const rate = at((run) => run.rate);
    const besides = more.map(([field, say]) => say(at((run) => run[field]).median));
    const busy = `${whole(at((run) => run.busy * 100).median)} %`;
    return [name, whole(rate.median), range(rate, whole), whole(at((run) => run.cpu).median), busy, ...besides, ours ? "" : versus(pairs, name)];
  };
  return [["", unit, "lowest to highest", "µs of processor each", "core busy", ...more.map(([field]) => field), "Portico does"], ...sides(pairs).map(line)];
}

/** Medians of subjects that are no pairs: `{ name, runs }`, the fields that a run has and how each is said. */
export function medians(subjects, fields) {
  const cell = (at, say) => `${say(at.median)} (${range(at, say)})`;
  const line = ({ name, runs }) => [name, ...Object.values(fields).map(({ of, say }) => cell(spread(runs, of), say))];
  return [["", ...Object.keys(fields)], ...subjects.map(line)];
}

/** Pairs as a panel of a plot (report/plot.mjs). */
export const panel = (title, pairs, field = "rate") => ({ title, bars: sides(pairs).map(({ name, ours = false, runs }) => ({ name, ours, ...spread(runs, (run) => run[field]) })) });

/**
 * A platform's part of the page: when and what was measured, its plot, a section for each scenario with its title and what is said `about` it, and for tables
 * of its own `before` and `after` those, by their ids.
 */
export function part(measured, { titles, about, plot, said = "", unit, before = {}, after = {} }) {
  const { versions, rounds, seconds, scenarios } = measured;
  const named = Object.entries(versions).map(([name, version]) => `${name} ${version}`).join(", ");
  const tables = Object.entries(scenarios).map(([id, { pairs }]) => [id, loads(pairs, unit)]);
  const section = ([id, cells]) => [`### ${titles[id]}`, about[id], markdown(cells)].join("\n\n");
  return [
    `${measuredOn(measured)}: ${rounds} rounds of ${seconds} s. ${named}. ${said}${noise(scenarios)} Medians.`,
    plot,
    ...[...Object.entries(before), ...tables, ...Object.entries(after)].map(section),
  ].join("\n\n");
}
