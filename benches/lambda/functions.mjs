// The functions that are measured: what starts each.

import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { keys } from "../fresh.mjs";
import { corner, root } from "../peers/place.mjs";
import { target } from "../platforms.mjs";
import { needed } from "../support.mjs";

const bootstrap = needed(process.env.BOOTSTRAP ?? join(target, "release/bootstrap"));
const builder = needed(process.env.PORTICO ?? join(target, "release/portico"));
const here = join(root, "benches/lambda");
const { folder, write } = corner("functions");

// AWS's own client of the Runtime API, the one in its images for Node
const client = needed(join(here, "node_modules/aws-lambda-ric/bin/index.mjs"));
const bundled = ["--bundle", "--minify", "--platform=node", "--format=esm", "--log-level=error", `--outfile=${folder}/hono.mjs`];
execFileSync(needed(join(root, "node_modules/.bin/esbuild")), [join(here, "hono.js"), ...bundled]);

/** Hono on Node; `work` is what hono.js says. */
const node = (name, work) => ({ name, folder, command: [process.execPath, client, "hono.handler"], environment: { WORK: work, KEYS: JSON.stringify(keys.keys) } });

let built = 0;
function portico(config, name = "Portico") {
  const path = join(folder, `built-${built}.json`);
  const source = write(`gateway-${built++}.json`, JSON.stringify({ portico: 1, name: "bench", ...config }));
  execFileSync(builder, ["build", "--target", "lambda", "--config", source, "--out", path], { stdio: "pipe" });
  return { name, folder, command: [bootstrap], environment: { PORTICO_BUNDLE: path, PORTICO_ACCESS_LOG: "off" } };
}

const answers = { name: "all", match: { path: "/{*rest}" }, respond: { body: "hello" } };
const policies = { auth: { any_of: ["users"] }, security_headers: {}, response: { headers: { set: { "X-User": "${claims.sub}" } } } };
const users = { jwt: { jwks: keys, issuer: "https://id.example/", audience: "shop", algorithms: ["ES256"] } };

/** What answers, and decides nothing else. */
export const hello = {
  ours: portico({ routes: [answers] }),
  theirs: [
    node("Hono on Node", "hello"),
    { name: "lambda_http", folder, command: [needed(join(target, "release/lambda-http-hello"))] },
    { name: "lambda_runtime", folder, command: [needed(join(target, "release/examples/hello"))] },
  ],
};

/** What answers those who have a good token, with fields set. */
export const guarded = { ours: portico({ identities: { users }, routes: [{ ...answers, policies }] }), theirs: [node("Hono on Node", "policies")] };

const numbered = (count, scheme = "http") => {
  const upstreams = { origin: { targets: [{ url: `${scheme}://127.0.0.1:9` }] } };
  const route = (index) => ({ name: `r${index}`, match: { path: `/a${index}/{id}` }, upstream: "origin", policies: { security_headers: {}, body_limit: "1MiB" } });
  return portico({ upstreams, routes: Array.from({ length: count }, (_, index) => route(index)) }, `Portico, ${count.toLocaleString("en")} route${count > 1 ? "s" : ""}${scheme === "https" ? ", https upstream" : ""}`);
};

/** What is started: those, and Portico with more routes. */
export const started = [
  { ...guarded.ours, name: "Portico, policies" },
  { ...guarded.theirs[0], name: "Hono on Node, policies" },
  ...hello.theirs,
  ...[1, 10, 1_000, 10_000].map((count) => numbered(count)),
  numbered(1_000, "https"),
];

export { bootstrap };
