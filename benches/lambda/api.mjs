// A Runtime API for one function at a time each, on the core of the load; and functions on a core of their own.

import { execFileSync, spawn } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { createServer } from "node:http";
import { children } from "../peers/place.mjs";
import { GATEWAY, LOAD } from "../peers/processes.mjs";

// this process is the load; what it starts goes elsewhere
execFileSync("taskset", ["-apc", LOAD, `${process.pid}`], { stdio: "ignore" });

/** Starts a function: `{ command, folder, environment }`. Gives it once it asks for an invocation, and how many milliseconds that took. */
export async function start({ name, command, folder, environment = {} }) {
  // `asked` is called whenever it waits for an invocation, `posted` with what came of one
  let asked, posted, waiting;
  const api = createServer((request, response) => {
    if (request.method === "GET") {
      waiting = response;
      asked();
      return;
    }
    const parts = [];
    request.on("data", (part) => parts.push(part)).on("end", () => {
      posted({ path: request.url, body: Buffer.concat(parts).toString() });
      response.writeHead(202).end();
    });
  });
  await new Promise((done) => api.listen(0, "127.0.0.1", done));
  const env = {
    ...process.env,
    AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${api.address().port}`,
    AWS_LAMBDA_FUNCTION_NAME: "bench",
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: "128",
    AWS_LAMBDA_FUNCTION_VERSION: "$LATEST",
    AWS_REGION: "eu-central-1",
    // one file, as Amazon Linux has it; Debian's folder of links takes three times as long
    SSL_CERT_FILE: process.env.SSL_CERT_FILE ?? "/etc/ssl/certs/ca-certificates.crt",
    SSL_CERT_DIR: "",
    ...environment,
  };
  const asks = new Promise((done) => (asked = done));
  const began = performance.now();
  const child = spawn("taskset", ["-c", GATEWAY, ...command], { cwd: folder, env, stdio: ["ignore", "ignore", "inherit"] });
  children.add(child);
  let over = () => {};
  const ended = new Promise((done) => child.once("exit", done));
  const failed = new Promise((_, fail) => (over = fail));
  failed.catch(() => {});
  const gone = () => over(new Error(`${name} has ended`));
  child.once("exit", gone);
  await Promise.race([asks, failed]);
  const took = performance.now() - began;

  /** Gives it an event; what it posted and how many milliseconds later, once it waits again. */
  async function invoke(event) {
    const asks = new Promise((done) => (asked = done));
    const posts = new Promise((done) => (posted = done));
    const head = {
      "content-type": "application/json",
      "lambda-runtime-aws-request-id": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
      "lambda-runtime-deadline-ms": Date.now() + 30_000,
      "lambda-runtime-invoked-function-arn": "arn:aws:lambda:eu-central-1:123456789012:function:bench",
    };
    const began = performance.now();
    waiting.writeHead(200, head).end(event);
    const { path, body } = await Promise.race([posts, failed]);
    const took = performance.now() - began;
    if (!path.endsWith("/response")) throw new Error(`${name}: ${path} ${body}`);
    await Promise.race([asks, failed]);
    return { body, took };
  }

  async function end() {
    child.removeListener("exit", gone);
    child.kill("SIGKILL");
    await ended;
    children.delete(child);
    api.closeAllConnections();
    api.close();
  }

  return { name, took, invoke, end, used: () => used(child), resident: () => resident(child) };
}

/** Mebibytes that a process has in memory. */
const resident = ({ pid }) => Number(readFileSync(`/proc/${pid}/status`, "utf8").match(/VmRSS:\s+(\d+)/)[1]) / 1024;

/** Seconds of processor time that the threads of a process have had; to the nanosecond, which /proc/PID/stat is not. */
function used({ pid }) {
  const spent = (thread) => Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1e9;
  return readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + spent(thread), 0);
}

/** An event of a Function URL. */
export const event = (token) =>
  JSON.stringify({
    version: "2.0",
    routeKey: "$default",
    rawPath: "/",
    rawQueryString: "",
    headers: { host: "api.example.com", "user-agent": "curl/8", accept: "*/*", "x-forwarded-for": "192.0.2.7", "x-forwarded-proto": "https", ...(token && { authorization: `Bearer ${token}` }) },
    requestContext: {
      accountId: "123456789012",
      apiId: "abc",
      domainName: "abc.lambda-url.eu-central-1.on.aws",
      domainPrefix: "abc",
      http: { method: "GET", path: "/", protocol: "HTTP/1.1", sourceIp: "192.0.2.7", userAgent: "curl/8" },
      requestId: "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
      routeKey: "$default",
      stage: "$default",
      time: "01/Jan/2026:00:00:00 +0000",
      timeEpoch: Date.now(),
    },
    isBase64Encoded: false,
  });
