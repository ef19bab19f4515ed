#!/usr/bin/env node
// The tables, and the part of docs/benchmarks.md about Workers with its plot.
//   benches/cloudflare/page.mjs     writes them anew from docs/measured/workers.json

import { isMain, kept, publish } from "../report/page.mjs";
import { medians, millis, panel, part } from "../report/pairs.mjs";
import { bars } from "../report/plot.mjs";

export const TITLES = {
  passed: "Workers: passed on",
  memory: "Workers: policies, one token",
  fresh: "Workers: policies, a token for each request",
  object: "Workers: policies, one token, exact limit",
  starts: "Workers: the start of workerd",
};

const ABOUT = {
  passed: "A response of 1 KiB, passed on.",
  memory: "An ES256 token is verified (signature, issuer, audience, `exp`), each subject has a limit that is never reached, `X-User-Id` is set from the token, security headers are set, and the request gets an id. All requests have the same token, which Portico remembers. The limit is kept by the isolate, with Portico by leases.",
  fresh: "The same, but no token comes twice: Portico verifies each, as Hono does.",
  object: "As with one token, but each request asks the Durable Object of its subject, which writes each count down before anybody is answered: where the core is far from busy, the disk was the limit.",
  starts: "From the start of the process until it listens, and until its first answer.",
};

export const starting = ({ starts }) => medians(starts, { "listens after": { of: ({ listens }) => listens, say: millis }, "answers after": { of: ({ answers }) => answers, say: millis } });

export const page = (measured) =>
  part(measured, {
    titles: TITLES,
    about: ABOUT,
    plot: "![Requests a second of each Worker in each scenario](benchmarks-workers.svg)",
    after: { starts: starting(measured) },
  });

export const plots = ({ scenarios }) => ({
  "benchmarks-workers.svg": bars(Object.entries(scenarios).map(([id, { pairs }]) => panel(`${TITLES[id].replace("Workers: ", "")}, requests/s`, pairs))),
});

if (isMain(import.meta.url)) {
  const measured = kept("workers");
  for (const path of publish("workers", page(measured), plots(measured))) console.log(path);
}
