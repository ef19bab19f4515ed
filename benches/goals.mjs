#!/usr/bin/env node
// What was hoped for, and what became of it: the first table of docs/benchmarks.md, of whatever has been measured. The last thing that scripts/bench does.

import { goals as workers } from "./cloudflare/goals.mjs";
import { goals as native } from "./peers/goals.mjs";
import { kept, markdown, publish, terminal } from "./report/page.mjs";

const parts = { native, workers };
const lines = Object.entries(parts).flatMap(([part, goals]) => {
  const measured = kept(part);
  return measured ? goals(measured).map((line) => [part, ...line]) : [];
});
if (lines.length) {
  const table = [["part", "", "hoped for", "seen", ""], ...lines];
  console.log(terminal(table));
  publish("goals", markdown(table));
}
