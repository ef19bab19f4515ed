// Workers on workerd: each one a process with the modules, bindings and objects that it needs.

import { execFileSync } from "node:child_process";
import { copyFileSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { corner, root } from "../peers/place.mjs";
import { target } from "../platforms.mjs";
import { needed } from "../support.mjs";

const here = join(root, "benches/cloudflare");
const built = (file) => needed(join(root, "build/cloudflare", file));
const portico = needed(process.env.PORTICO ?? join(target, "release/portico"));
export const workerd = needed(join(root, "node_modules/.bin/workerd"));

const { folder } = corner("modules");
const [hono, plain, seam] = ["hono.js", "plain.js", "seam.js"].map((file) => join(here, file));
execFileSync(needed(join(root, "node_modules/.bin/esbuild")), [hono, "--bundle", "--minify", "--format=esm", "--external:cloudflare:*", "--log-level=error", `--outfile=${folder}/hono.js`]);

/** The modules of Workers that are written in JavaScript: `[name, kind, file]`. */
export const script = { hono: [["hono.js", "esModule", join(folder, "hono.js")]], plain: [["plain.js", "esModule", plain]], seam: [["seam.js", "esModule", seam]] };

/** Those of Portico with a configuration. */
export function gateway({ folder, write }, config) {
  const bundle = join(folder, "built.json");
  execFileSync(portico, ["build", "--target", "cloudflare", "--config", write("gateway.json", JSON.stringify({ portico: 1, name: "bench", ...config })), "--out", bundle], { stdio: "pipe" });
  return [["worker.js", "esModule", built("worker.js")], ["portico.wasm", "wasm", built("portico.wasm")], ["bundle.json", "text", bundle]];
}

/** What starts a Worker on a port. `text` are its bindings; with `objects` it has Durable Objects for limits. */
export function command({ folder, write }, { port, modules, text = {}, objects = false }) {
  // what is embedded stands beside the configuration
  for (const [name, , file] of modules) if (file !== join(folder, name)) copyFileSync(file, join(folder, name));
  const bindings = Object.entries(text).map(([name, value]) => `(name = "${name}", text = ${JSON.stringify(value)})`);
  if (objects) for (const name of ["LIMITS", "PORTICO_LIMITS"]) bindings.push(`(name = "${name}", durableObjectNamespace = "RateLimit")`);
  mkdirSync(join(folder, "objects"));
  const config = write("config.capnp", `
using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "main", worker = .main), (name = "internet", network = (allow = ["local"])),
    (name = "objects", disk = (path = "${folder}/objects", writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${port}", service = "main", http = ())],
);
const main :Workerd.Worker = (
  modules = [${modules.map(([name, kind]) => `(name = "${name}", ${kind} = embed "${name}")`).join(", ")}],
  compatibilityDate = "2026-04-01",
  bindings = [${bindings.join(", ")}],
  ${objects ? `durableObjectNamespaces = [(className = "RateLimit", uniqueKey = "limits", enableSql = true)], durableObjectStorage = (localDisk = "objects"),` : ""}
);`);
  return [workerd, "serve", config];
}
