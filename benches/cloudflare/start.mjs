// How long raw workerd takes to start: until it listens, which is when the worker's modules are compiled and evaluated and the
// configuration is read, and until its first answer, which compiles what a request needs. Beside a worker that only answers,
// because workerd itself takes its time.

import { spawn } from "node:child_process";
import { connect } from "node:net";
import { children, corner } from "../peers/place.mjs";
import { GATEWAY } from "../peers/processes.mjs";
import { port } from "../support.mjs";
import { command, gateway } from "./workerd.mjs";

function portico(routes) {
  const route = (index) => ({ name: `r${index}`, match: { path: `/a${index}/{id}` }, upstream: "origin", policies: { security_headers: {} } });
  const place = corner(`start-${routes}`);
  const config = { upstreams: { origin: { targets: [{ url: "http://127.0.0.1:9" }] } }, routes: Array.from({ length: routes }, (_, index) => route(index)) };
  return { name: `Portico, ${routes.toLocaleString("en")} route${routes > 1 ? "s" : ""}`, path: "/-/health", place, modules: gateway(place, config) };
}

function hello() {
  const place = corner("start-hello");
  return { name: "a Worker that only answers", path: "/", place, modules: [["hello.js", "esModule", place.write("hello.js", `export default { fetch() { return new Response("hello"); } };`)]] };
}

/** A connection as soon as there can be one. */
async function connected(port) {
  for (;;) {
    const socket = connect(port, "127.0.0.1");
    const open = await new Promise((done) => socket.once("connect", () => done(true)).once("error", () => done(false)));
    if (open) return socket;
  }
}

async function start({ name, command, port, path, place }) {
  const began = performance.now();
  const child = spawn("taskset", ["-c", GATEWAY, ...command], { stdio: "ignore", cwd: place.folder });
  children.add(child);
  const ended = new Promise((done) => child.once("exit", done));
  const socket = await Promise.race([connected(port), ended.then(() => Promise.reject(new Error(`${name} ended before it listened`)))]);
  const listens = performance.now() - began;
  socket.write(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n`);
  const head = await new Promise((done) => socket.once("data", (data) => done(String(data))));
  const answers = performance.now() - began;
  socket.destroy();
  child.kill("SIGKILL");
  await ended;
  children.delete(child);
  if (!head.startsWith("HTTP/1.1 200")) throw new Error(`${name}: ${head}`);
  return { listens, answers };
}

/** So many starts of each in turn, in milliseconds: `[{ name, runs }]`. */
export async function starts(times) {
  const subjects = [hello(), ...[1, 10, 1_000, 10_000].map(portico)];
  for (const subject of subjects) {
    subject.port = await port();
    subject.command = command(subject.place, { ...subject, text: { PORTICO_ACCESS_LOG: "off" } });
    subject.runs = [];
  }
  for (let time = 0; time < times; time++) for (const subject of subjects) subject.runs.push(await start(subject));
  return subjects.map(({ name, runs }) => ({ name, runs }));
}
