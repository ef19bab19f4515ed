// What every part of scripts/bench does with its numbers: keeps them in docs/measured/, makes tables of them, writes its part of docs/benchmarks.md.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, release } from "node:os";
import { join, resolve } from "node:path";

const docs = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../../docs");
const numbers = (part) => join(docs, `measured/${part}.json`);

/** When and where, the head of what is kept. */
export const setting = () => ({
  date: new Date().toISOString().slice(0, 10),
  machine: { processor: cpus()[0].model, cores: cpus().length, kernel: release().match(/^[\d.]+/)[0] },
});

/** The same as a sentence's beginning. */
export const measuredOn = ({ date, machine: { processor, cores, kernel } }) => `Measured on ${date} on ${processor}, ${cores} cores, Linux ${kernel}`;

export function keep(part, measured) {
  mkdirSync(join(docs, "measured"), { recursive: true });
  writeFileSync(numbers(part), `${JSON.stringify(measured, null, 1)}\n`);
}

/** What was kept of a part, if it was ever measured. */
export const kept = (part) => (existsSync(numbers(part)) ? JSON.parse(readFileSync(numbers(part), "utf8")) : undefined);

/** Writes what stands between `<!-- PART -->` and `<!-- /PART -->`, and its plots, as `{ "NAME.svg": text }`; gives their paths. */
export function publish(part, text, plots = {}) {
  const page = readFileSync(join(docs, "benchmarks.md"), "utf8");
  const [begin, end] = [`<!-- ${part} -->`, `<!-- /${part} -->`];
  const [from, to] = [page.indexOf(begin), page.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${begin} … ${end}`);
  const files = { "benchmarks.md": `${page.slice(0, from)}${begin}\n\n${text}\n\n${page.slice(to)}`, ...plots };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(docs, name), content);
  return Object.keys(files).map((name) => join(docs, name));
}

/** Is this module what node was told to run? `url` is its `import.meta.url`. */
export const isMain = (url) => process.argv[1] && resolve(process.argv[1]) === new URL(url).pathname;

// A table is rows of cells, the first of which is its head.

export const markdown = ([head, ...rows]) => [head, ["---", ...head.slice(1).map(() => "---:")], ...rows].map((row) => `| ${row.join(" | ")} |`).join("\n");

/** A table for a terminal. */
export function terminal(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  return rows.map((row) => row.map((cell, column) => (column ? cell.padStart(widths[column]) : cell.padEnd(widths[column]))).join("  ").trimEnd()).join("\n");
}

export const whole = (value) => Math.round(value).toLocaleString("en");
export const range = ({ low, high }, say) => `${say(low)} to ${say(high)}`;
