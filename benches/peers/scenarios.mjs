// What is measured: what is asked of which gateways, and what they have to be able to do.

import * as caddy from "./gateways/caddy.mjs";
import * as envoy from "./gateways/envoy.mjs";
import * as haproxy from "./gateways/haproxy.mjs";
import * as nginx from "./gateways/nginx.mjs";
import * as portico from "./gateways/portico.mjs";
import * as traefik from "./gateways/traefik.mjs";
import * as varnish from "./gateways/varnish.mjs";
import { TITLES } from "./about.mjs";
import { cached, limited, numbered, plain, policies, stream } from "./check.mjs";
import { corner, tokens } from "./place.mjs";

/** Ours. */
export { portico };
/** In the order in which they are named. */
export const peers = [nginx, haproxy, envoy, traefik, caddy, varnish];

/** Routes where there are many. */
export const ROUTES = 1_000;
const { write } = corner("requests");
const bearer = (token) => ({ Authorization: `Bearer ${token}` });
const able = (kind) => peers.filter(({ kinds }) => kinds.includes(kind));
const callers = write("callers", tokens.callers.map((token) => `/policies ${token}\n`).join(""));

/** A request for each of `count` routes, or for 1,000 of them. */
const through = (count) => {
  const step = Math.max(1, count / 1_000);
  const paths = Array.from({ length: Math.min(count, 1_000) }, (_, index) => `/r${index * step}/items/7\n`);
  return write(`routes-${count}`, paths.join(""));
};
/** Ours with another number of routes. */
const other = (count) => ({ gateway: portico, name: `Portico, ${count.toLocaleString("en")} routes`, routes: count, load: { requests: through(count) } });

/**
 * - `kind`: how the gateways are configured, see gateways/
 * - `against`: who does it besides us; `besides`: subjects of other kinds
 * - `routes`: how many of them we have, if it matters
 * - `load`: what is sent, see load.mjs
 * - `status`: what every answer must be
 * - `asks`: whether the upstream is asked for each
 * - `check`: what must hold before anything is measured
 * - `often`: how many times as many rounds, where a small difference counts
 */
export const scenarios = [
  { id: "plain", kind: "plain", path: "/plain", load: {}, check: plain, direct: true },
  { id: "repeated", kind: "policies", path: "/policies", load: { headers: bearer(tokens.callers[0]) }, check: policies },
  { id: "callers", kind: "policies", path: "/policies", load: { requests: callers }, check: policies },
  { id: "forged", kind: "policies", path: "/policies", load: { headers: bearer(tokens.forged) }, status: 401, asks: false, check: policies },
  { id: "missing", kind: "policies", path: "/policies", load: {}, status: 401, asks: false, check: policies },
  { id: "limited", kind: "limited", path: "/limited", load: {}, status: 429, asks: false, check: limited },
  { id: "routes", kind: "routes", path: "/r0/", load: { requests: through(ROUTES) }, check: numbered },
  { id: "flat", kind: "routes", path: "/r0/", routes: 10_000, load: { requests: through(10_000) }, check: numbered, against: [], besides: [other(10)], often: 8 },
  { id: "cached", kind: "cached", path: "/cached", load: {}, asks: false, check: cached },
  { id: "stream", kind: "plain", path: "/stream", load: { connections: 8 }, check: stream, direct: true },
  { id: "tls", kind: "tls", path: "/plain", load: {}, check: plain },
  { id: "latency", kind: "plain", path: "/plain", load: {}, check: plain, paced: true },
].map((scenario) => ({ title: TITLES[scenario.id], status: 200, asks: true, besides: [], often: 1, against: able(scenario.kind), ...scenario }));
