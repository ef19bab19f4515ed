#!/usr/bin/env node
// Portico as a component, on the WASI host of the tests, which runs components as Spin does. On one core: requests per second beside
// a spin-sdk hello-world on the same host; then what a new instance takes for its first request, by number of routes.
//   benches/spin/run.mjs [SECONDS]
// Needs scripts/build-spin, cargo build --release (or PORTICO, the binary), wrk (apt-get install wrk), and the host and its guest:
//   cargo build --release --manifest-path tests/host/Cargo.toml
//   cargo build --release --manifest-path tests/host/Cargo.toml --package portico-host-guest --target wasm32-wasip2

import { execFileSync, spawn } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { request } from "node:http";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { needed, signed, workplace } from "../support.mjs";

const seconds = Number(process.argv[2] ?? 4);
const rounds = 3;
const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const hostTarget = process.env.PORTICO_HOST_TARGET ?? process.env.CARGO_TARGET_DIR ?? join(root, "tests/host/target");
const host = needed(process.env.PORTICO_WASI_HOST ?? join(hostTarget, "release/portico-wasi-host"));
const guest = needed(join(hostTarget, "wasm32-wasip2/release/portico_host_guest.wasm"));
const component = needed(join(root, "build/spin/portico.wasm"));
const portico = needed(process.env.PORTICO ?? join(target, "release/portico"));
const { folder, children } = workplace();

/** Starts the host on one core; gives its process and its URL. */
async function serve(wasm, ...options) {
  const child = spawn("taskset", ["-c", "0", host, "serve", wasm, ...options], { stdio: ["ignore", "pipe", "inherit"] });
  children.add(child);
  for await (const line of createInterface(child.stdout)) {
    const [, url] = line.match(/^Serving (http\S+)/) ?? [];
    if (url) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error(`${host} ended before it listened`);
}

async function end({ child }) {
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
  children.delete(child);
}

/** The folder of a bundle. */
function bundle(name, config) {
  const mount = join(folder, name);
  mkdirSync(mount);
  writeFileSync(join(folder, `${name}.json`), JSON.stringify({ portico: 1, name, ...config }));
  execFileSync(portico, ["build", "--target", "spin", "--config", join(folder, `${name}.json`), "--out", join(mount, "bundle.json")], { stdio: "ignore" });
  return mount;
}

const { jwk, claims, token } = signed();

const plain = { routes: [{ name: "all", match: { path: "/{*rest}" }, respond: { body: "hello" } }] };
const policies = { auth: { any_of: ["users"] }, security_headers: {}, response: { headers: { set: { "X-User": "${claims.sub}" } } } };
const guarded = {
  identities: { users: { jwt: { jwks: { keys: [jwk] }, issuer: claims.iss, audience: claims.aud, algorithms: ["ES256"] } } },
  routes: [{ ...plain.routes[0], policies }],
};
const quiet = ["--variable", "portico_access_log=off"];
const subjects = [
  { name: "spin-sdk hello-world", started: await serve(guest) },
  { name: "Portico, respond", started: await serve(component, "--mount", bundle("plain", plain), ...quiet) },
  { name: "Portico, respond: ES256, headers", started: await serve(component, "--mount", bundle("guarded", guarded), ...quiet), token },
];

/** Seconds of processor time that a process has had. */
function used({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

function load({ name, started: { child, url }, token }) {
  const headers = token ? ["-H", `Authorization: Bearer ${token}`] : [];
  const before = used(child);
  const said = execFileSync("taskset", ["-c", "1", "wrk", "-t1", "-c16", `-d${seconds}`, "--latency", ...headers, `${url}/`], { encoding: "utf8" });
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(`${name}: ${said}`);
  const [, count] = said.match(/(\d+) requests in/);
  const cpu = ((used(child) - before) / count) * 1e6;
  return { rate: Number(said.match(/Requests\/sec:\s+([\d.]+)/)[1]), cpu, p99: said.match(/99%\s+(\S+)/)[1] };
}

for (const subject of subjects) {
  load(subject);
  subject.runs = [];
}
for (let round = 0; round < rounds; round++) for (const subject of subjects) subject.runs.push(load(subject));

console.log(`the host on one core, 16 connections, ${rounds} rounds of ${seconds} s in turn; medians`);
let base;
for (const { name, runs, started } of subjects) {
  const { rate, cpu, p99 } = runs.sort((a, b) => a.rate - b.rate)[rounds >> 1];
  base ??= rate;
  console.log(`${name.padEnd(34)} ${rate.toFixed(0).padStart(6)} requests/s  ${cpu.toFixed(0).padStart(5)} us of processor  p99 ${p99.padEnd(8)}  ${(rate / base).toFixed(2)} x`);
  await end(started);
}

/** What the first request takes: the instance is made, the configuration is read. */
async function first(wasm, ...options) {
  const started = await serve(wasm, ...options);
  const began = performance.now();
  await new Promise((done, fail) => {
    const sent = request(`${started.url}/`, { agent: false }, (response) => response.resume().once("end", done));
    sent.once("error", fail).end();
  });
  const took = performance.now() - began;
  await end(started);
  return took;
}

const numbered = (count) => ({
  routes: Array.from({ length: count }, (_, index) => ({ name: `r${index}`, match: { path: `/a${index}/{id}` }, respond: { body: "a" }, policies: { security_headers: {}, body_limit: "1MiB" } })),
});
const cold = [{ name: "spin-sdk hello-world", wasm: guest, options: [] }];
for (const count of [1, 10, 1_000, 10_000]) {
  cold.push({ name: `Portico, ${count} routes`, wasm: component, options: ["--mount", bundle(`routes${count}`, numbered(count)), ...quiet] });
}
for (const subject of cold) subject.runs = [];
for (let time = 0; time < 9; time++) for (const subject of cold) subject.runs.push(await first(subject.wasm, ...subject.options));
console.log("the first request of a process whose component is compiled already; medians of 9");
for (const { name, runs } of cold) {
  console.log(`${name.padEnd(34)} ${runs.sort((a, b) => a - b)[runs.length >> 1].toFixed(1).padStart(7)} ms`);
}
process.exit(0);
