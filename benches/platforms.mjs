// What the parts workers, spin and lambda share: load, turns, how they end. What processes are and where they run is that of the native part, benches/peers/.

import { execFile, execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { root } from "./peers/place.mjs";
import { LOAD, worked } from "./peers/processes.mjs";
import { keep, publish, setting, terminal } from "./report/page.mjs";

export const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");

/** How many rounds of how many seconds; the arguments of every part. */
export function turns(defaults) {
  const { values } = parseArgs({ options: { rounds: { type: "string" }, seconds: { type: "string" } } });
  const [rounds, seconds] = ["rounds", "seconds"].map((name) => Number(values[name] ?? defaults[name]));
  if (rounds >= 1 && seconds >= 1) return { rounds, seconds };
  console.error(`usage: ${process.argv[1]} [--rounds N] [--seconds S]`);
  process.exit(2);
}

/** The commit that `adapter` stands at, and whether it was changed since. */
export function version(adapter) {
  const git = (...args) => execFileSync("git", ["-C", root, ...args], { encoding: "utf8" }).trim();
  const changed = git("status", "--porcelain", "core", "native", `adapters/${adapter}`, "Cargo.toml", "Cargo.lock");
  return `${git("rev-parse", "--short", "HEAD")}${changed ? ", changed" : ""}`;
}

/** The version of a package that npm has installed in a folder. */
export const packaged = (folder, name) => JSON.parse(readFileSync(join(root, folder, "node_modules", name, "package.json"), "utf8")).version;

/** Connections that are open at once. */
export const CONNECTIONS = 16;
const execute = promisify(execFile);

/**
 * As many requests to a server (processes.mjs) as go in that time. `requests` is a file of requests in turn, which peers/cycle.lua explains; else all are for `url`.
 * They may be no more than `most`.
 */
export async function flood({ name, used }, { url, seconds, headers = {}, requests, most = Infinity }) {
  const fields = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const script = requests ? ["-s", join(root, "benches/peers/cycle.lua")] : [];
  const clock = watch(used);
  const options = ["-t1", `-c${CONNECTIONS}`, `-d${seconds}s`, "--latency", ...fields, ...script, url];
  const { stdout } = await execute("taskset", ["-c", LOAD, "wrk", ...options], { env: { ...process.env, PORTICO_REQUESTS: requests } });
  if (/Socket errors|Non-2xx/.test(stdout)) throw new Error(`${name}: ${stdout}`);
  const number = (pattern) => Number(stdout.match(pattern)[1]);
  const [, p99, unit] = stdout.match(/99%\s+([\d.]+)(us|ms|s)\b/);
  const [count, seen] = [number(/(\d+) requests in/), clock()];
  if (count === 0) throw new Error(`${name} answered nobody: ${stdout}`);
  if (count > most) throw new Error(`${name}: ${count} requests, of which only ${most} differ`);
  return { count, rate: number(/Requests\/sec:\s+([\d.]+)/), ...seen(count), p99: Number(p99) * { us: 0.001, ms: 1, s: 1000 }[unit] };
}

/** From now on: how much of its core a server has, how much others have, and processor time of each of `count` requests in microseconds. */
export function watch(used) {
  const [before, all, began] = [used(), worked(), performance.now()];
  return () => {
    const [spent, took] = [used() - before, (performance.now() - began) / 1000];
    const others = Math.max(0, worked() - all - spent) / took;
    return (count) => ({ cpu: (spent / count) * 1e6, busy: spent / took, others });
  };
}

/** Pairs of runs: in each round every peer beside ours, in changing order. */
export async function alternate(ours, theirs, rounds, once) {
  const pairs = [];
  // minutes are not lost because something else on the machine was in the way for a moment
  const run = (subject) => once(subject).catch((error) => (console.log(`  once more: ${error.message}`), once(subject)));
  for (let round = 0; round < rounds; round++) {
    for (const peer of theirs) {
      const runs = new Map();
      for (const subject of round % 2 ? [ours, peer] : [peer, ours]) runs.set(subject, await run(subject));
      pairs.push({ peer: peer.name, round, ours: runs.get(ours), theirs: runs.get(peer) });
    }
  }
  return pairs;
}

/** What a part does when it has measured: keeps, prints, writes. */
export function finish(part, measured, { page, plots }) {
  keep(part, measured);
  for (const path of publish(part, page(measured), plots(measured))) console.log(path);
}

/** Says on the terminal what was seen. */
export const show = (title, cells) => console.log(`\n${title}\n${terminal(cells)}`);

/** The head of what is kept. */
export const head = (versions, { rounds, seconds }) => ({ ...setting(), versions, rounds, seconds });
