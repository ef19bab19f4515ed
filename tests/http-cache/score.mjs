// Counts what passed as the package's own pages do. The published numbers are those of tests/index.mjs, without the tests that are for browsers.

import { readFileSync } from "node:fs";
import { determineTestResult } from "http-cache-tests/lib/display.mjs";
import published from "http-cache-tests/results/index.mjs";
import all from "http-cache-tests/tests/index.mjs";

/** `required` and `optimal` tests say what is right, a `check` only asks what a cache does. */
export const KINDS = ["required", "optimal", "check"];

/** What has tests for caches that several share. */
export const suites = all
  .map(({ name, tests }) => ({ name, tests: tests.filter((test) => !test.browser_only) }))
  .filter(({ tests }) => tests.length > 0);

export const kind = (test) => test.kind ?? "required";

/** Whether a test passed: by itself, and with all that it depends on. */
export function passed(results, test) {
  return ["✅", "Y"].includes(determineTestResult(all, test.id, results)[2]);
}

/** What a test says that did not pass. */
export function complaint(results, { id, depends_on = [] }) {
  const result = results[id];
  if (result === undefined) return "it did not run";
  if (result !== true) return result.join(": ");
  return `it passed, but not all that it depends on: ${depends_on.join(", ")}`;
}

/** How many of these tests passed, and how many there are, by kind. */
export function count(results, tests) {
  const of = (each) => tests.filter((test) => kind(test) === each);
  return KINDS.map((each) => ({ passed: of(each).filter((test) => passed(results, test)).length, of: of(each).length }));
}

/** The caches whose results the package publishes, browsers left out: name, version, results. */
export const others = published
  .filter(({ type }) => type !== "browser")
  .map(({ name, version, file }) => {
    const path = new URL(`results/${file}`, import.meta.resolve("http-cache-tests/package.json"));
    return { name: `${name} ${version}`, results: JSON.parse(readFileSync(path, "utf8")) };
  });
