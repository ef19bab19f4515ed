#!/usr/bin/env node
// Portico as a component beside a spin-sdk hello-world, on the WASI host of the tests, which runs components as Spin does: what scripts/bench spin runs.
//   benches/spin/run.mjs [--rounds N] [--seconds S]
// Needs what that sets up and builds; PORTICO and PORTICO_WASI_HOST may name other binaries.

import { ok, strictEqual } from "node:assert";
import { execFileSync, spawn } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { another, fresh, keys } from "../fresh.mjs";
import { ask } from "../peers/ask.mjs";
import { children, corner, root, tokens } from "../peers/place.mjs";
import { GATEWAY } from "../peers/processes.mjs";
import { alternate, finish, flood, head, show, target, turns, version } from "../platforms.mjs";
import { loads } from "../report/pairs.mjs";
import { needed } from "../support.mjs";
import { page, plots, starting, TITLES } from "./page.mjs";

const { rounds, seconds } = turns({ rounds: 5, seconds: 4 });
const host = needed(process.env.PORTICO_WASI_HOST ?? join(target, "release/portico-wasi-host"));
const guest = needed(join(target, "wasm32-wasip2/release/portico_host_guest.wasm"));
const component = needed(join(root, "build/spin/portico.wasm"));
const portico = needed(process.env.PORTICO ?? join(target, "release/portico"));

const said = join(corner("host").folder, "said.log");

/** Starts the host on a core of its own. */
async function serve({ name, wasm, options }) {
  // it says of each connection that a client closed while it waited
  const log = openSync(said, "w");
  const child = spawn("taskset", ["-c", GATEWAY, host, "serve", wasm, ...options], { stdio: ["ignore", "pipe", log] });
  closeSync(log);
  children.add(child);
  const ended = new Promise((done) => child.once("exit", done));
  const end = async () => {
    child.kill("SIGKILL");
    await ended;
    children.delete(child);
  };
  for await (const line of createInterface(child.stdout)) {
    const [, url] = line.match(/^Serving (http\S+)/) ?? [];
    if (url) {
      child.stdout.resume();
      return { name, url, end, used: () => used(child) };
    }
  }
  throw new Error(`${name}: the host ended before it listened\n${readFileSync(said, "utf8")}`);
}

/** Seconds of processor time that a process has had. */
function used({ pid }) {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

let built = 0;
function gateway(config, name = "Portico") {
  const { folder, write } = corner(`component-${built++}`);
  const mount = join(folder, "files");
  mkdirSync(mount);
  const source = write("gateway.json", JSON.stringify({ portico: 1, name: "bench", ...config }));
  execFileSync(portico, ["build", "--target", "spin", "--config", source, "--out", join(mount, "bundle.json")], { stdio: "pipe" });
  return { name, wasm: component, options: ["--mount", mount, "--variable", "portico_access_log=off"] };
}

const hello = { name: "spin-sdk hello-world", wasm: guest, options: [], path: "/" };
const answers = { name: "all", match: { path: "/{*rest}" }, respond: { body: "hello" } };
const policies = { auth: { any_of: ["users"] }, security_headers: {}, response: { headers: { set: { "X-User": "${claims.sub}" } } } };
const users = { jwt: { jwks: keys, issuer: "https://id.example/", audience: "shop", algorithms: ["ES256"] } };
const plain = gateway({ routes: [answers] });
const guarded = gateway({ identities: { users }, routes: [{ ...answers, policies }] });

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

async function answered({ name, url }, headers) {
  const { status, body, headers: fields } = await ask(`${url}/`, headers);
  strictEqual(status, 200, name);
  strictEqual(body.toString(), "hello", name);
  return fields;
}

/** It says who the token is for, and refuses whoever has no good one. */
async function verified(server) {
  for (const token of [tokens.callers[0], another()]) {
    const fields = await answered(server, bearer(token));
    strictEqual(fields["x-user"], "caller-0");
    ok(fields["x-content-type-options"]);
  }
  const bad = [{}, ...[tokens.forged, ...Object.values(tokens.refused)].map(bearer)];
  for (const headers of bad) strictEqual((await ask(`${server.url}/`, headers)).status, 401);
}

const scenarios = [
  { id: "hello", ours: plain, check: answered, load: () => ({}) },
  { id: "repeated", ours: guarded, check: verified, load: () => ({ headers: bearer(tokens.callers[0]) }) },
  { id: "fresh", ours: guarded, check: verified, load: () => fresh("/", seconds, 3_000) },
];

const measured = { ...head({ Portico: version("spin") }, { rounds, seconds }), scenarios: {} };
for (const { id, ours, check, load } of scenarios) {
  const [us, them] = [await serve(ours), await serve(hello)];
  await answered(them);
  await check(us);
  const send = (server, time) => flood(server, { url: `${server.url}/`, seconds: time, ...(server === us && load()) });
  for (const server of [us, them]) await send(server, 1);
  const pairs = await alternate(us, [them], rounds, (server) => send(server, seconds));
  for (const server of [us, them]) await server.end();
  measured.scenarios[id] = { pairs };
  show(TITLES[id], loads(pairs));
}

/** What the first request takes, in milliseconds: the instance is made, the configuration is read. */
async function first(subject) {
  const server = await serve(subject);
  const began = performance.now();
  const { status } = await ask(`${server.url}${subject.path ?? "/a0/7"}`);
  const took = performance.now() - began;
  await server.end();
  strictEqual(status, 200, subject.name);
  return took;
}

const numbered = (count) => {
  const route = (index) => ({ name: `r${index}`, match: { path: `/a${index}/{id}` }, respond: { body: "a" }, policies: { security_headers: {}, body_limit: "1MiB" } });
  return gateway({ routes: Array.from({ length: count }, (_, index) => route(index)) }, `Portico, ${count.toLocaleString("en")} route${count > 1 ? "s" : ""}`);
};
const cold = [hello, ...[1, 10, 1_000, 10_000].map(numbered)];
measured.firsts = cold.map(({ name }) => ({ name, runs: [] }));
for (let time = 0; time < rounds * 4; time++) for (const [index, subject] of cold.entries()) measured.firsts[index].runs.push(await first(subject));
show(TITLES.firsts, starting(measured));
finish("spin", measured, { page, plots });
process.exit(0);
