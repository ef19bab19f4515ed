#!/usr/bin/env node
// The tables, and the part of docs/benchmarks.md about Lambda with its plot.
//   benches/lambda/page.mjs     writes them anew from docs/measured/lambda.json

import { isMain, kept, publish } from "../report/page.mjs";
import { mebibytes, medians, millis, panel, part } from "../report/pairs.mjs";
import { bars } from "../report/plot.mjs";
import { spread } from "../report/statistics.mjs";

export const TITLES = {
  starts: "Lambda: the start",
  hello: "Lambda: a hello",
  repeated: "Lambda: policies, one token",
  fresh: "Lambda: policies, a token for each invocation",
};

const ABOUT = {
  starts: "From the start of the process until it asks for its first invocation, and its memory then. Portico's routes pass requests on and have security headers and a bound for bodies.",
  hello: "Nothing is decided: what the runtimes take. Invocations come one after another, so that the core waits for the Runtime API, too.",
  repeated: "An ES256 token is verified, `X-User` is set from it, and security headers and an id for the request. All events have the same token, which Portico remembers. There is no limit: that needs a DynamoDB.",
  fresh: "The same, but no token comes twice: Portico verifies each, as Hono does.",
};

export const UNIT = "invocations/s";

export const starting = ({ starts }) => medians(starts, { "asks after": { of: ({ took }) => took, say: millis }, memory: { of: ({ memory }) => memory, say: mebibytes } });

export const page = (measured) =>
  part(measured, {
    titles: TITLES,
    about: ABOUT,
    plot: "![Start, memory, and processor time of an invocation of each function](benchmarks-lambda.svg)",
    unit: UNIT,
    said: `Portico's binary has ${(measured.bytes / 1e6).toFixed(1)} MB. `,
    before: { starts: starting(measured) },
  });

const started = (title, starts, field) => ({ title, bars: starts.map(({ name, runs }) => ({ name, ours: name.startsWith("Portico"), ...spread(runs, (run) => run[field]) })) });

export const plots = ({ starts, scenarios }) => ({
  "benchmarks-lambda.svg": bars([
    started("start, ms", starts, "took"),
    started("memory, MiB", starts, "memory"),
    ...Object.entries(scenarios).map(([id, { pairs }]) => panel(`${TITLES[id].replace("Lambda: ", "")}, µs of processor`, pairs, "cpu")),
  ]),
});

if (isMain(import.meta.url)) {
  const measured = kept("lambda");
  for (const path of publish("lambda", page(measured), plots(measured))) console.log(path);
}
