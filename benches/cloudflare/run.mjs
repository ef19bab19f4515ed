#!/usr/bin/env node
// Requests per second of raw workerd on one core: plain JavaScript, the same with what any gateway must ask of the runtime, Hono
// and Portico, with the same upstream, in one run. All requests with policies carry one token, which Portico remembers and Hono
// verifies each time.
//   benches/cloudflare/run.mjs [SECONDS]
// Needs scripts/build-cloudflare, cargo build --release (or PORTICO, the binary), and wrk and nginx (apt-get install wrk nginx-light).

import { execFileSync, spawn } from "node:child_process";
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { port, signed, workplace } from "../support.mjs";

const seconds = Number(process.argv[2] ?? 5);
const rounds = 3;
const here = import.meta.dirname ?? new URL(".", import.meta.url).pathname;
const root = resolve(here, "../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const portico = process.env.PORTICO ?? join(target, "release/portico");
const { folder, children } = workplace();

/** A process on one core. */
function start(core, command, ...args) {
  const child = spawn("taskset", ["-c", core, command, ...args], { stdio: ["ignore", "ignore", "inherit"], cwd: folder });
  children.add(child);
  return child;
}

async function answers(url, headers) {
  for (let attempt = 0; attempt < 200; attempt++) {
    const response = await fetch(url, { headers }).catch(() => undefined);
    if (response?.ok) return;
    if (response) throw new Error(`${url} answers ${response.status}: ${await response.text()}`);
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`${url} does not answer`);
}

const { jwk, claims, token } = signed();

const originPort = await port();
const origin = `http://127.0.0.1:${originPort}`;
writeFileSync(join(folder, "nginx.conf"), `
master_process off; daemon off; pid ${folder}/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http {
  access_log off; keepalive_requests 100000000; client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  server { listen 127.0.0.1:${originPort}; location / { default_type application/json; return 200 '{"id":7,"item":"chair","price":4900}'; } }
}`);
start("1", "nginx", "-c", join(folder, "nginx.conf"));
await answers(origin);

function gateway(name, rateLimit) {
  const policies = rateLimit && {
    auth: { any_of: ["users"] },
    rate_limit: { limit: 1_000_000, per: "1m", by: "consumer", ...rateLimit },
    security_headers: {},
    request: { headers: { set: { "X-User": "${claims.sub}" } } },
  };
  const config = {
    portico: 1,
    name,
    upstreams: { origin: { targets: [{ url: origin }] } },
    identities: { users: { jwt: { jwks: { keys: [jwk] }, issuer: claims.iss, audience: claims.aud, algorithms: ["ES256"] } } },
    routes: [{ name: "all", match: { path: "/{*rest}" }, upstream: "origin", ...(policies && { policies }) }],
  };
  if (!rateLimit) delete config.identities;
  writeFileSync(join(folder, `${name}.json`), JSON.stringify(config));
  execFileSync(portico, ["build", "--config", join(folder, `${name}.json`), "--out", join(folder, `${name}.bundle`)], { stdio: ["ignore", "ignore", "inherit"] });
  return [
    ["worker.js", "esModule", "portico/worker.js"],
    ["portico.wasm", "wasm", "portico/portico.wasm"],
    ["bundle.json", "text", `${name}.bundle`],
  ];
}

mkdirSync(join(folder, "portico"));
for (const file of ["worker.js", "portico.wasm"]) copyFileSync(join(root, "build/cloudflare", file), join(folder, "portico", file));
for (const file of ["plain.js", "seam.js"]) copyFileSync(join(here, file), join(folder, file));
execFileSync(join(root, "node_modules/.bin/esbuild"), [
  join(here, "hono.js"), "--bundle", "--minify", "--format=esm", "--external:cloudflare:*", "--log-level=error", `--outfile=${folder}/hono.js`,
]);

const plain = [["plain.js", "esModule", "plain.js"]];
const hono = [["hono.js", "esModule", "hono.js"]];
const quiet = { PORTICO_ACCESS_LOG: "off" };
const bearer = { Authorization: `Bearer ${token}` };
const subjects = [
  { name: "plain JavaScript, passed on", modules: plain },
  { name: "JavaScript, asking what a gateway must", modules: [["seam.js", "esModule", "seam.js"]], base: 0 },
  { name: "Portico, passed on", modules: gateway("plain"), text: quiet, base: 0 },
  { name: "Hono: ES256, limit in memory, headers", modules: hono, text: { LIMIT: "memory", KEY: JSON.stringify(jwk) }, headers: bearer },
  { name: "Portico: ES256, leased limit, headers", modules: gateway("leased", { lease: 1000 }), text: quiet, headers: bearer, base: 3 },
  { name: "Hono: ES256, limit by object, headers", modules: hono, text: { LIMIT: "object", KEY: JSON.stringify(jwk) }, headers: bearer },
  { name: "Portico: ES256, exact limit, headers", modules: gateway("exact", {}), text: quiet, headers: bearer, base: 5 },
];

for (const [index, subject] of subjects.entries()) {
  subject.port = await port();
  const objects = subject.headers !== undefined;
  const text = Object.entries({ ORIGIN: origin, ...subject.text }).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`);
  if (objects) for (const name of ["LIMITS", "PORTICO_LIMITS"]) text.push(`(name = "${name}", durableObjectNamespace = "RateLimit")`);
  mkdirSync(join(folder, `objects-${index}`));
  writeFileSync(join(folder, `${index}.capnp`), `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main), (name = "internet", network = (allow = ["local"])),
    (name = "objects", disk = (path = "${folder}/objects-${index}", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${subject.port}", service = "main", http = ())],
);
const main :Workerd.Worker = (
  modules = [${subject.modules.map(([name, kind, file]) => `(name = "${name}", ${kind} = embed "${file}")`).join(", ")}],
  compatibilityDate = "2026-04-01",
  bindings = [${text.join(", ")}],
  ${objects ? `durableObjectNamespaces = [(className = "RateLimit", uniqueKey = "limits", enableSql = true)], durableObjectStorage = (localDisk = "objects"),` : ""}
);`);
  subject.process = start("0", join(root, "node_modules/.bin/workerd"), "serve", `${index}.capnp`);
  subject.url = `http://127.0.0.1:${subject.port}/orders/7`;
  await answers(subject.url, subject.headers);
}

/** Seconds of processor time that a process and its children have had. */
function used(process) {
  const children = readFileSync(`/proc/${process.pid}/task/${process.pid}/children`, "utf8").trim().split(/\s+/).filter(Boolean);
  return [process.pid, ...children].reduce((sum, pid) => {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return sum + (Number(fields[11]) + Number(fields[12])) / 100;
  }, 0);
}

function load(subject, seconds) {
  const headers = Object.entries(subject.headers ?? {}).flatMap(([name, value]) => ["-H", `${name}: ${value}`]);
  const before = used(subject.process);
  const said = execFileSync("taskset", ["-c", "1", "wrk", "-t1", "-c16", `-d${seconds}`, "--latency", ...headers, subject.url], { encoding: "utf8" });
  const after = used(subject.process);
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(`${subject.name}: ${said}`);
  const [, count] = said.match(/(\d+) requests in/);
  return { rate: Number(said.match(/Requests\/sec:\s+([\d.]+)/)[1]), cpu: ((after - before) / count) * 1e6, p99: said.match(/99%\s+(\S+)/)[1] };
}

for (const subject of subjects) load(subject, seconds);
for (const subject of subjects) subject.runs = [];
for (let round = 0; round < rounds; round++) for (const subject of subjects) subject.runs.push(load(subject, seconds));

console.log(`workerd on one core, 16 connections, ${rounds} rounds of ${seconds} s in turn; medians`);
for (const subject of subjects) {
  const { rate, cpu, p99 } = subject.runs.sort((a, b) => a.rate - b.rate)[Math.floor(rounds / 2)];
  subject.rate = rate;
  const ratio = subject.base === undefined ? "" : `  ${(rate / subjects[subject.base].rate).toFixed(2)} x`;
  console.log(`${subject.name.padEnd(40)} ${rate.toFixed(0).padStart(6)} requests/s  ${cpu.toFixed(0).padStart(5)} us of processor  p99 ${p99.padEnd(8)}${ratio}`);
}
process.exit(0);
