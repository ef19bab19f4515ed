#!/usr/bin/env node
// The tables, and the part of docs/benchmarks.md about Spin with its plot.
//   benches/spin/page.mjs     writes them anew from docs/measured/spin.json

import { isMain, kept, publish } from "../report/page.mjs";
import { medians, millis, panel, part } from "../report/pairs.mjs";
import { bars } from "../report/plot.mjs";

export const TITLES = {
  hello: "Spin: a hello",
  repeated: "Spin: policies, one token",
  fresh: "Spin: policies, a token for each request",
  firsts: "Spin: the first request",
};

const ABOUT = {
  hello: "Both answer `hello` and decide nothing.",
  repeated: "Portico verifies an ES256 token, and sets a field from it and security headers. All requests have the same token, which it remembers. The hello-world is the same as before.",
  fresh: "The same, but no token comes twice: each is verified, in Wasm.",
  firsts: "From the request until its answer, of a process that has listened and answered nobody.",
};

export const starting = ({ firsts }) => medians(firsts, { "answers after": { of: (took) => took, say: millis } });

export const page = (measured) =>
  part(measured, {
    titles: TITLES,
    about: ABOUT,
    plot: "![Requests a second of each component in each scenario](benchmarks-spin.svg)",
    after: { firsts: starting(measured) },
  });

export const plots = ({ scenarios }) => ({
  "benchmarks-spin.svg": bars(Object.entries(scenarios).map(([id, { pairs }]) => panel(`${TITLES[id].replace("Spin: ", "")}, requests/s`, pairs))),
});

if (isMain(import.meta.url)) {
  const measured = kept("spin");
  for (const path of publish("spin", page(measured), plots(measured))) console.log(path);
}
