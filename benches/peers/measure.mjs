// One scenario: starts its gateways, checks them, loads them in turns, ends them.

import { port } from "../support.mjs";
import { corner, tls, token } from "./place.mjs";
import { CONNECTIONS, flood, pace } from "./load.mjs";
import { GATEWAY, start, worked } from "./processes.mjs";
import { portico, ROUTES } from "./scenarios.mjs";
import { LARGE } from "./upstream.mjs";

/** As good as none: what a limit costs is measured, not what it refuses. */
const LOOSE = { requests: 1_000_000, per: "1s" };
let started = 0;

/** Starts a gateway as `kind`. */
async function begin(subject, { kind, path }, upstream, changed) {
  const { gateway, name = gateway.name, routes = ROUTES } = subject;
  const place = corner(`${gateway.name}-${started++}`);
  const at = { kind, port: await port(), upstream: upstream.port, limit: LOOSE, routes, tls, token, ...place, ...changed };
  const url = `${kind === "tls" ? "https" : "http"}://127.0.0.1:${at.port}`;
  const server = await start(name, GATEWAY, gateway.command(at), `${url}${path}`, place.folder);
  return { ...server, url, upstream, routes };
}

async function checked(subject, scenario, upstream) {
  const server = await begin(subject, scenario, upstream);
  const again = (changed) => begin(subject, scenario, upstream, changed);
  try {
    const seen = await scenario.check(server, { routes: server.routes, again });
    return { ...server, ...seen, load: { ...scenario.load, ...subject.load } };
  } catch (error) {
    throw new Error(`${server.name} is not as it should be for "${scenario.title}": ${error.message}\n${server.said().slice(-1000)}`, { cause: error });
  }
}

/** One run: requests a second, the gateway's processor time for one of them in microseconds, how much of its core it had, and how much others had. */
async function once({ url, name, used, load, half }, { path, status, asks, paced }, upstream, seconds) {
  // what the tool and the upstream take by themselves at that rate
  const floor = paced && (await pace({ ...load, url: `${upstream.url}${path}`, seconds, rate: half }));
  const [before, had, all, began] = [await upstream.count(), used(), worked(), performance.now()];
  const send = { ...load, url: `${url}${path}`, seconds };
  const { count, refused, ...seen } = paced ? { ...(await pace({ ...send, rate: half })), wanted: half, floor } : await flood(send);
  const [spent, took] = [used() - had, (performance.now() - began) / 1000];
  const run = { ...seen, busy: spent / took, others: Math.max(0, worked() - all - spent) / took };
  if (paced) return run;
  const asked = (await upstream.count()) - before;
  const wrong = (what) => new Error(`${name}: ${what} of ${count} requests for ${path}`);
  // limits let a few pass, and what is under way at the end is not counted
  const few = 2 * CONNECTIONS;
  if (status === 200 ? refused > 0 : refused < count - few) throw wrong(`${refused} were refused`);
  if (asks ? asked < count || asked > count + few : asked > few) throw wrong(`the upstream saw ${asked}`);
  return { ...run, cpu: (spent / count) * 1e6, ...(path === "/stream" && { megabytes: (run.rate * LARGE) / 1e6 }) };
}

/** Pairs of runs: in each round every peer beside us, in changing order. `told` hears of each. */
export async function measure(scenario, upstream, { rounds, seconds }, told) {
  const subjects = [...scenario.against.map((gateway) => ({ gateway })), ...scenario.besides];
  const ours = await checked({ gateway: portico, routes: scenario.routes }, scenario, upstream);
  const theirs = [];
  for (const subject of subjects) theirs.push(await checked(subject, scenario, upstream));
  const direct = scenario.direct ? [{ ...upstream, name: "upstream", load: scenario.load }] : [];
  // half an hour is not lost because something else on the machine was in the way for a moment
  const run = (server) => once(server, scenario, upstream, seconds).catch((error) => (console.log(`  once more: ${error.message}`), once(server, scenario, upstream, seconds)));

  for (const server of [ours, ...theirs, ...direct]) {
    const warm = await once(server, { ...scenario, paced: false }, upstream, scenario.paced ? seconds : 1);
    if (scenario.paced) server.half = Math.round(warm.rate / 2);
  }

  const [pairs, alone] = [[], []];
  for (let round = 0; round < rounds * scenario.often; round++) {
    for (const server of direct) alone.push(await run(server));
    for (const peer of theirs) {
      const first = round % 2 ? ours : peer;
      const runs = new Map([[first, await run(first)]]);
      const second = first === ours ? peer : ours;
      runs.set(second, await run(second));
      const pair = { peer: peer.name, round, ours: runs.get(ours), theirs: runs.get(peer) };
      pairs.push(pair);
      told(pair);
    }
  }
  const ciphers = Object.fromEntries([ours, ...theirs].filter(({ cipher }) => cipher).map(({ name, cipher }) => [name, cipher]));
  for (const server of [ours, ...theirs]) await server.end();
  return { pairs, direct: alone, ciphers };
}
