// Load: wrk as fast as it goes, oha at a fixed rate.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { join } from "node:path";
import { root } from "./place.mjs";
import { LOAD } from "./processes.mjs";

const run = promisify(execFile);
const CYCLE = join(root, "benches/peers/cycle.lua");

/** Connections that are open at once. */
export const CONNECTIONS = 64;

/** As many requests as go in that time. `requests` is a file of requests in turn, which cycle.lua explains; else all are for `url`. */
export async function flood({ url, seconds, headers = {}, requests, connections = CONNECTIONS }) {
  const fields = Object.entries(headers).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const script = requests ? ["-s", CYCLE] : [];
  const options = ["-t1", `-c${connections}`, `-d${seconds}s`, ...fields, ...script, url];
  const { stdout } = await run("taskset", ["-c", LOAD, "wrk", ...options], { env: { ...process.env, PORTICO_REQUESTS: requests } });
  if (/Socket errors/.test(stdout)) throw new Error(`${url}: ${stdout}`);
  const number = (pattern) => Number(stdout.match(pattern)?.[1] ?? 0);
  return { count: number(/(\d+) requests in/), rate: number(/Requests\/sec:\s+([\d.]+)/), refused: number(/Non-2xx or 3xx responses: (\d+)/) };
}

/** `rate` requests a second; each one's time begins when it was due, not when it could be sent (coordinated omission). Times are milliseconds. */
export async function pace({ url, seconds, rate, connections = CONNECTIONS }) {
  const options = ["-z", `${seconds}s`, "-q", `${rate}`, "-c", `${connections}`, "--latency-correction", "--no-tui", "--output-format", "json", url];
  const { stdout } = await run("taskset", ["-c", LOAD, "oha", ...options], { env: { ...process.env, TOKIO_WORKER_THREADS: "1" }, maxBuffer: 1 << 26 });
  const { summary, latencyPercentiles: at, statusCodeDistribution: statuses } = JSON.parse(stdout);
  const wrong = Object.keys(statuses).filter((status) => status !== "200");
  if (wrong.length) throw new Error(`${url}: ${JSON.stringify(statuses)}`);
  const millis = (value) => value * 1000;
  return { rate: summary.requestsPerSec, p50: millis(at.p50), p99: millis(at.p99), p999: millis(at["p99.9"]) };
}
