// What tests of rate limits share.

import { bundle, start, worker } from "./gateway.js";

/** A configuration that answers by itself, as often as the limit permits. */
export const limited = (rate_limit) => ({
  routes: [{ name: "limited", match: { path: "/" }, respond: { body: "passed" }, policies: { rate_limit } }],
});

/** Two isolates whose limits are the same objects; the first one holds them. */
export async function two(t, rate_limit) {
  const first = { bundle: bundle(limited(rate_limit)), probe: true };
  const objects = { PORTICO_LIMITS: { className: "RateLimit", scriptName: "portico", useSQLite: true } };
  return start(t, [worker(first), worker({ ...first, name: "second", durableObjects: objects })]);
}

/** What `length` clients get who each send a request at once; `gateways` take turns. */
export const at_once = (length, ...gateways) =>
  Promise.all(Array.from({ length }, (_, index) => gateways[index % gateways.length].request("/")));

/** How many responses have this status. */
export const count = (responses, status) => responses.filter((response) => response.status === status).length;
