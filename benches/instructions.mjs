// The end of scripts/instructions: what was counted beside what was committed.

import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";

const FILE = new URL("instructions.json", import.meta.url);
/** How much more a step may take before that has to be explained. */
const MORE = 0.05;

const [steps, parts, accept] = process.argv.slice(2);
const now = { tools: tools(), counts: counts() };
if (accept === "--accept") {
  writeFileSync(FILE, `${JSON.stringify(now, null, 2)}\n`);
  console.log(`instructions: ${Object.keys(now.counts).length} counts written; say in the commit why they changed`);
} else {
  compare(JSON.parse(readFileSync(FILE, "utf8")));
}

/** What counts depend on, besides the code: C's library has the allocator, and there is other code for processors with AVX2. */
function tools() {
  const said = (...command) => execFileSync(command[0], command.slice(1), { encoding: "utf8" }).trim();
  const avx2 = /^flags\b.*\bavx2\b/m.test(readFileSync("/proc/cpuinfo", "utf8"));
  return {
    rustc: said("rustc", "--version"),
    libc: said("getconf", "GNU_LIBC_VERSION"),
    valgrind: said("valgrind", "--version"),
    processor: `${process.arch}${avx2 ? " with AVX2" : ""}`,
  };
}

/** Instructions of one run of each step. */
function counts() {
  const totals = [...readFileSync(parts, "latin1").matchAll(/^summary: (\d+)$/gm)].map(([, total]) => Number(total));
  const lines = readFileSync(steps, "utf8").trim().split("\n");
  // the last part is what came after the last step
  if (totals.length !== lines.length + 1 || totals.pop() !== 0 || totals.includes(0)) {
    throw new Error(`callgrind counted ${totals.length} parts, there are ${lines.length} steps`);
  }
  const count = (line, index) => {
    const [, runs, step] = /^(\d+) (.*)$/.exec(line);
    return [step, Math.round(totals[index] / runs)];
  };
  return Object.fromEntries(lines.map(count));
}

function compare(committed) {
  const names = [...new Set([...Object.keys(now.counts), ...Object.keys(committed.counts)])];
  const rows = names.map((step) => {
    const [before, after] = [committed.counts[step], now.counts[step]];
    return { step, before, after, change: after / before - 1 };
  });
  const number = (count) => (count === undefined ? "none" : count.toLocaleString("en")).padStart(11);
  const wide = Math.max(...names.map((step) => step.length));
  console.log(`${"step".padEnd(wide)} | ${"committed".padStart(11)} | ${"now".padStart(11)} | change`);
  for (const { step, before, after, change } of rows) {
    const percent = Number.isNaN(change) ? "" : `${change < 0 ? "" : "+"}${(change * 100).toFixed(1)} %`;
    console.log(`${step.padEnd(wide)} | ${number(before)} | ${number(after)} | ${percent.padStart(8)}`);
  }

  const others = Object.keys(now.tools).filter((tool) => now.tools[tool] !== committed.tools[tool]);
  const more = rows.filter(({ change }) => change > MORE || Number.isNaN(change));
  const less = rows.filter(({ change }) => change < -MORE);
  const say = (text) => console.log(`instructions: ${text}`);
  for (const { step, change } of more) say(Number.isNaN(change) ? `${step}: counted only once` : `${step}: over 5 % more`);
  for (const { step } of less) say(`${step}: over 5 % less, which --accept keeps`);
  for (const tool of others) say(`this is ${now.tools[tool]}, counted was with ${committed.tools[tool]}: nothing fails`);
  if (more.length > 0 && others.length === 0) {
    say("find out why; if it has to be, scripts/instructions --accept, and say so in the commit");
    process.exitCode = 1;
  }
}
