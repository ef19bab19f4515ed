#!/usr/bin/env node
// Where the processor time of a request goes: samples of perf while gateways are loaded. What scripts/bench profile runs.
//   benches/peers/profile.mjs [--seconds S]
// Needs what run.mjs needs, and perf.

import { execFile } from "node:child_process";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { port } from "../support.mjs";
import { keep, markdown, measuredOn, publish, setting, terminal } from "../report/page.mjs";
import * as haproxy from "./gateways/haproxy.mjs";
import * as nginx from "./gateways/nginx.mjs";
import * as portico from "./gateways/portico.mjs";
import { flood } from "./load.mjs";
import { corner, tls, token, tokens } from "./place.mjs";
import { GATEWAY, LOAD, start } from "./processes.mjs";
import { upstream } from "./upstream.mjs";

const run = promisify(execFile);
const { values } = parseArgs({ options: { seconds: { type: "string", default: "5" } } });
const seconds = Number(values.seconds);

const policies = { kind: "policies", path: "/policies", headers: { Authorization: `Bearer ${tokens.callers[0]}` } };
const plain = { kind: "plain", path: "/plain" };
const SUBJECTS = [
  { title: "Portico, plain", gateway: portico, ...plain },
  { title: "nginx, plain", gateway: nginx, ...plain },
  { title: "Portico, policies", gateway: portico, ...policies },
  { title: "HAProxy, policies", gateway: haproxy, ...policies },
];

/** What a symbol belongs to: the first of these that its name has. Of a generic one that is what it is a part of, not what it works on. */
const OWNERS = [
  ["copies", /^(__)?mem(cpy|move|set|cmp)|_mem(cpy|move|set)/],
  ["memory", /malloc|calloc|realloc|\bfree\b|_free|mi_|unlink_chunk/],
  ["HTTP/1.1, header fields", /hyper|httparse|http_body|\bhttp::|bytes::|want::/],
  ["tokio", /tokio|mio::|parking_lot|futures/],
  ["Portico's decisions, its log", /portico_core|itoa|serde/],
  ["Portico's server, its upstreams", /portico/],
  ["cryptography", /^(EVP|EC|BN|bn_|ecp|SHA|sha|OPENSSL|CRYPTO|OSSL|ossl|evp|x25519|ec_|ring)|libcrypto/],
];

function owner({ binary, symbol, space }) {
  if (space === "k") return "the system";
  if (/libcrypto/.test(binary)) return "cryptography";
  const at = OWNERS.map(([name, pattern]) => [name, symbol.search(pattern)]).filter(([, index]) => index >= 0);
  // what begins first
  const [first] = at.sort(([, one], [, other]) => one - other);
  return first?.[0] ?? "the rest of the program";
}

async function profiled({ title, gateway, kind, path, headers }, origin) {
  const place = corner(`profile-${title.replace(/\W+/g, "-")}`);
  const at = { kind, port: await port(), upstream: origin.port, limit: { requests: 1_000_000, per: "1s" }, routes: 0, tls, token, ...place };
  const url = `http://127.0.0.1:${at.port}`;
  const server = await start(title, GATEWAY, gateway.command(at), `${url}${path}`, place.folder);
  const send = { url: `${url}${path}`, headers, seconds };
  await flood({ ...send, seconds: 1 });
  const samples = join(place.folder, "perf.data");
  const before = server.used();
  // without call graphs, which would make it slower than it is
  const recording = run("taskset", ["-c", LOAD, "perf", "record", "-q", "-F", "1999", "-o", samples, "-p", server.pids().join(","), "--", "sleep", `${seconds}`]);
  const { count, rate } = await flood(send);
  await recording;
  const cpu = ((server.used() - before) / count) * 1e6;
  const { stdout } = await run("perf", ["report", "--stdio", "-q", "-i", samples, "--sort", "dso,symbol", "-t", ";"], { maxBuffer: 1 << 26 });
  await server.end();
  const shares = {};
  for (const line of stdout.split("\n")) {
    const [, percent, binary, space, symbol] = line.match(/^\s*([\d.]+)%\s*;([^;]*);\[(.)\]\s*(.*)$/) ?? [];
    if (!percent) continue;
    const name = owner({ binary: binary.trim(), symbol: symbol.trim(), space });
    shares[name] = (shares[name] ?? 0) + Number(percent) / 100;
  }
  return { title, rate, cpu, shares };
}

const origin = await upstream();
const subjects = [];
for (const subject of SUBJECTS) subjects.push(await profiled(subject, origin));
await origin.end();

const names = ["the system", ...OWNERS.map(([name]) => name), "the rest of the program"];
const cell = ({ cpu, shares }, name) => (shares[name] >= 0.001 ? `${(cpu * shares[name]).toFixed(1)} µs` : "");
const table = [
  ["", ...subjects.map(({ title }) => title)],
  ...names.map((name) => [name, ...subjects.map((subject) => cell(subject, name))]),
  ["a request", ...subjects.map(({ cpu }) => `${cpu.toFixed(1)} µs`)],
];
const measured = { ...setting(), versions: { Portico: portico.version(), nginx: nginx.version(), HAProxy: haproxy.version() }, seconds, subjects };
console.log(terminal(table));
keep("profile", measured);
for (const path of publish("profile", `${measuredOn(measured)}: samples of ${seconds} s each, with perf watching.\n\n${markdown(table)}`)) console.log(path);
process.exit(0);
