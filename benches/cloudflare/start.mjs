#!/usr/bin/env node
// How long raw workerd takes to start: until it listens, which is when the worker's modules are compiled and evaluated and the
// configuration is read, and until its first answer, which compiles what a request needs. Beside a worker that only answers,
// because workerd itself takes its time.
//   benches/cloudflare/start.mjs [TIMES]
// Needs scripts/build-cloudflare and cargo build --release (or PORTICO, the binary).

import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join, resolve } from "node:path";
import { port, workplace } from "../support.mjs";

const times = Number(process.argv[2] ?? 21);
const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
const portico = process.env.PORTICO ?? join(process.env.CARGO_TARGET_DIR ?? join(root, "target"), "release/portico");
const { folder } = workplace();

function gateway(routes) {
  const route = (index) => ({ name: `r${index}`, match: { path: `/a${index}/{id}` }, upstream: "origin", policies: { security_headers: {} } });
  const config = {
    portico: 1,
    name: `start${routes}`,
    upstreams: { origin: { targets: [{ url: "http://127.0.0.1:9" }] } },
    routes: Array.from({ length: routes }, (_, index) => route(index)),
  };
  writeFileSync(join(folder, `${routes}.json`), JSON.stringify(config));
  execFileSync(portico, ["build", "--config", join(folder, `${routes}.json`), "--out", join(folder, `${routes}.bundle`)], { stdio: "ignore" });
  return { name: `Portico, ${routes} routes`, path: "/-/health", modules: [["worker.js", "esModule", "worker.js"], ["portico.wasm", "wasm", "portico.wasm"], ["bundle.json", "text", `${routes}.bundle`]] };
}

for (const file of ["worker.js", "portico.wasm"]) copyFileSync(join(root, "build/cloudflare", file), join(folder, file));
writeFileSync(join(folder, "hello.js"), `export default { fetch() { return new Response("hello"); } };`);
const subjects = [{ name: "a worker that answers", path: "/", modules: [["hello.js", "esModule", "hello.js"]] }, ...[1, 10, 1_000, 10_000].map(gateway)];

for (const [index, subject] of subjects.entries()) {
  subject.port = await port();
  subject.runs = [];
  subject.config = join(folder, `config-${index}.capnp`);
  writeFileSync(subject.config, `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "main", worker = .main)],
  sockets = [(name = "http", address = "127.0.0.1:${subject.port}", service = "main", http = ())],
);
const main :Workerd.Worker = (
  modules = [${subject.modules.map(([name, kind, file]) => `(name = "${name}", ${kind} = embed "${file}")`).join(", ")}],
  compatibilityDate = "2026-04-01",
  bindings = [(name = "PORTICO_ACCESS_LOG", text = "off")],
);`);
}

/** A connection as soon as there can be one. */
async function connected(port) {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise((done) => socket.once("connect", () => done(true)).once("error", () => done(false)));
    if (open) return socket;
  }
}

async function start({ config, port, path }) {
  const began = performance.now();
  const child = spawn(join(root, "node_modules/.bin/workerd"), ["serve", config], { stdio: "ignore" });
  const ended = new Promise((done) => child.once("exit", done));
  const socket = await connected(port);
  const listens = performance.now() - began;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const head = await new Promise((done) => socket.once("data", (data) => done(String(data))));
  const answers = performance.now() - began;
  socket.destroy();
  child.kill("SIGKILL");
  await ended;
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(head);
  return { listens, answers };
}

for (let time = 0; time < times; time++) for (const subject of subjects) subject.runs.push(await start(subject));

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
console.log(`workerd, medians of ${times} starts in turn, in ms`);
let base;
for (const { name, runs } of subjects) {
  const [listens, answers] = [median(runs.map((run) => run.listens)), median(runs.map((run) => run.answers))];
  base ??= { listens, answers };
  const more = (value, of) => (value === of ? "" : `(+${(value - of).toFixed(1)})`).padEnd(9);
  console.log(`${name.padEnd(24)} listens ${listens.toFixed(1).padStart(6)} ${more(listens, base.listens)} answers ${answers.toFixed(1).padStart(6)} ${more(answers, base.answers)}`);
}
