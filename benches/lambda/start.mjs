#!/usr/bin/env node
// The function `bootstrap` at a Runtime API of its own, beside a function that does nothing (hello.rs): from the start of its process to
// the first time it asks for an invocation, and its memory then, by number of routes; then what an invocation takes of the processor, both
// calls to the Runtime API included.
//   benches/lambda/start.mjs [TIMES]
// Needs cargo build --release --package portico-lambda --package portico (or BOOTSTRAP and PORTICO, the binaries), and
//   cargo build --release --package portico-benches --example hello

import { execFileSync, spawn } from "node:child_process";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { join, resolve } from "node:path";
import { needed, signed, workplace } from "../support.mjs";

const times = Number(process.argv[2] ?? 21);
const [rounds, invocations] = [9, 1_000];
const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");
const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const bootstrap = needed(process.env.BOOTSTRAP ?? join(target, "release/bootstrap"));
const portico = needed(process.env.PORTICO ?? join(target, "release/portico"));
const hello = needed(join(target, "release/examples/hello"));
const { folder, children } = workplace();

/** The path of a bundle. */
function bundle(name, config) {
  const [source, path] = [join(folder, `${name}.yaml`), join(folder, `${name}.json`)];
  writeFileSync(source, JSON.stringify({ portico: 1, name, ...config }));
  execFileSync(portico, ["build", "--target", "lambda", "--config", source, "--out", path], { stdio: "ignore" });
  return path;
}

// The Runtime API, for one function at a time: `asked` is called whenever it waits for an invocation, `posted` with what came of one.
let asked, posted, waiting;
const api = createServer((request, response) => {
  if (request.method === "GET") {
    waiting = response;
    asked();
    return;
  }
  const parts = [];
  request.on("data", (part) => parts.push(part)).on("end", () => {
    response.writeHead(202).end();
    posted({ path: request.url, body: Buffer.concat(parts).toString() });
  });
});
await new Promise((done) => api.listen(0, "127.0.0.1", done));

/** Starts a function; gives its process once it asks for an invocation, and how long that took. */
async function start(path, binary = bootstrap) {
  const env = {
    ...process.env,
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${api.address().port}`,
    AWS_LAMBDA_FUNCTION_NAME: "portico",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    PORTICO_BUNDLE: path ?? "",
    PORTICO_ACCESS_LOG: "off",
    // one file, as Amazon Linux has it; Debian's folder of links takes three times as long
    SSL_CERT_FILE: process.env.SSL_CERT_FILE ?? "/etc/ssl/certs/ca-certificates.crt",
    SSL_CERT_DIR: "",
  };
  const asks = new Promise((done) => (asked = done));
  const began = performance.now();
  const child = spawn(binary, { env, stdio: ["ignore", "ignore", "inherit"] });
  children.add(child);
  child.once("exit", () => children.delete(child) && process.exit(1));
  await asks;
  return { child, took: performance.now() - began };
}

async function end(child) {
  child.removeAllListeners("exit");
  const ended = new Promise((done) => child.once("exit", done));
  child.kill("SIGKILL");
  await ended;
  children.delete(child);
}

/** Gives the function that waits an event; what it posted, once it waits again. */
async function invoke(event) {
  const asks = new Promise((done) => (asked = done));
  const posts = new Promise((done) => (posted = done));
  const head = {
    "content-type": "application/json",
    "lambda-runtime-aws-request-id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
    "lambda-runtime-deadline-ms": Date.now() + 30_000,
    "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-central-1:123456789012:function:portico",
  };
  waiting.writeHead(200, head).end(event);
  const answer = await posts;
  await asks;
  return answer;
}

/** An event of a Function URL. */
const event = (path, headers) =>
  JSON.stringify({
    version: "2.0",
    routeKey: "$default",
    rawPath: path,
    rawQueryString: "",
    headers: { host: "api.example.com", "user-agent": "curl/8", accept: "*/*", "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", ...headers },
    requestContext: {
      domainName: "abc.lambda-url.eu-central-1.on.aws",
      http: { method: "GET", path, protocol: "HTTP/1.1", sourceIp: "192.0.2.7", userAgent: "curl/8" },
      requestId: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
      stage: "$default",
      timeEpoch: Date.now(),
    },
    isBase64Encoded: false,
  });

/** Mebibytes that a process has in memory. */
const resident = ({ pid }) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;

/** Seconds of processor time that a process of one thread has had. */
function used({ pid }) {
  return Number(readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")[0]) / 1e9;
}

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
const respond = { respond: { body: "hello" } };
const numbered = (count, scheme) => ({
  upstreams: { origin: { targets: [{ url: `${scheme}://127.0.0.1:9` }] } },
  routes: Array.from({ length: count }, (_, index) => ({ name: `r${index}`, match: { path: `/a${index}/{id}` }, upstream: "origin", policies: { security_headers: {}, body_limit: "1MiB" } })),
});

console.log(`${bootstrap}: ${(statSync(bootstrap).size / 1e6).toFixed(1)} MB`);
console.log(`from the start of the process to the first /next, and its memory then; medians of ${times}`);
const starts = [
  { name: "nothing: hello.rs", binary: hello },
  ...[1, 10, 1_000, 10_000].map((count) => ({ name: `${count} routes`, path: bundle(`routes${count}`, numbered(count, "http")) })),
  { name: "1000 routes, https upstream", path: bundle("routes-https", numbered(1_000, "https")) },
].map((subject) => ({ ...subject, took: [], memory: [] }));
for (let time = 0; time < times; time++) {
  for (const { path, binary, took, memory } of starts) {
    const started = await start(path, binary);
    took.push(started.took);
    memory.push(resident(started.child));
    await end(started.child);
  }
}
for (const { name, took, memory } of starts) {
  console.log(`${name.padEnd(34)} ${median(took).toFixed(1).padStart(7)} ms ${median(memory).toFixed(1).padStart(7)} MiB`);
}

const { jwk, claims, token } = signed();
const policies = { auth: { any_of: ["users"] }, security_headers: {}, response: { headers: { set: { "X-User": "${claims.sub}" } } } };
const subjects = [
  { name: "nothing: hello.rs", binary: hello, sent: event("/", {}) },
  { name: "respond", path: bundle("plain", { routes: [{ name: "all", match: { path: "/{*rest}" }, ...respond }] }), sent: event("/", {}) },
  {
    name: "respond: ES256, headers",
    path: bundle("guarded", {
      identities: { users: { jwt: { jwks: { keys: [jwk] }, issuer: claims.iss, audience: claims.aud, algorithms: ["ES256"] } } },
      routes: [{ name: "all", match: { path: "/{*rest}" }, ...respond, policies }],
    }),
    sent: event("/", { authorization: `Bearer ${token}` }),
  },
];
console.log(`an invocation's time of the processor; medians of ${rounds} rounds of ${invocations}`);
for (const subject of subjects) {
  const { child } = await start(subject.path, subject.binary);
  const { body } = await invoke(subject.sent);
  if (JSON.parse(body).statusCode !== 200) throw new Error(`${subject.name}: ${body}`);
  Object.assign(subject, { child, waiting, micros: [] });
}
for (let round = 0; round < rounds; round++) {
  for (const subject of subjects) {
    waiting = subject.waiting;
    const before = used(subject.child);
    for (let time = 0; time < invocations; time++) await invoke(subject.sent);
    subject.micros.push(((used(subject.child) - before) / invocations) * 1e6);
    subject.waiting = waiting;
  }
}
for (const { name, micros, child } of subjects) {
  console.log(`${name.padEnd(34)} ${median(micros).toFixed(0).padStart(7)} us ${resident(child).toFixed(1).padStart(7)} MiB`);
  await end(child);
}
process.exit(0);
