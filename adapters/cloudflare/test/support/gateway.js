// Starts the Worker that wrangler.toml deploys, on workerd, with a configuration of the test's own. What talks to it is
// in ./http.js, and what a test sees and changes inside of it in ./probe.js.

import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as run } from "node:test";
import { Log, LogLevel, Miniflare } from "miniflare";
import { request } from "./http.js";

const CHECKOUT = new URL("../../../../", import.meta.url).pathname;
const TARGET = process.env.CARGO_TARGET_DIR ?? join(CHECKOUT, "target");
const PORTICO = needed(process.env.PORTICO ?? join(TARGET, "debug/portico"), "cargo build --package portico");
const WORKER = process.env.PORTICO_WORKER ?? join(CHECKOUT, "build/cloudflare");

function needed(path, command) {
  if (!existsSync(path)) throw new Error(`there is no ${path}: run ${command}`);
  return path;
}

/** A test that fails when it hangs. */
export const test = (name, body) => run(name, { timeout: 120_000 }, body);

const folders = [];

process.on("exit", () => {
  for (const path of folders) rmSync(path, { recursive: true, force: true, maxRetries: 20 });
});

/** A folder that ends with the process: no sooner than what writes into it. */
export function folder() {
  const path = mkdtempSync(join(tmpdir(), "portico-worker-"));
  folders.push(path);
  return path;
}

/** What `portico build` makes of a configuration, as text. `routes`, `upstreams` and so on are the configuration's own keys. */
export function bundle(config) {
  const directory = folder();
  const [source, out] = [join(directory, "gateway.json"), join(directory, "bundle.json")];
  writeFileSync(source, JSON.stringify({ portico: 1, name: "test", ...config }));
  execFileSync(PORTICO, ["build", "--config", source, "--out", out], { stdio: ["ignore", "ignore", "pipe"] });
  return readFileSync(out, "utf8");
}

/** `wrangler.toml`, as far as Miniflare has to know it: sections of `name = "text"`. Other values are left out. */
function wrangler() {
  const sections = { "": {} };
  let section = sections[""];
  for (const line of readFileSync(join(CHECKOUT, "wrangler.toml"), "utf8").split("\n")) {
    const [, table] = line.match(/^\[+([\w.]+)\]+$/) ?? [];
    if (table !== undefined) section = sections[table] = {};
    const [, name, value] = line.match(/^(\w+) = ("[^"]*")/) ?? [];
    if (name !== undefined) section[name] = JSON.parse(value);
  }
  const { "": top, vars, "durable_objects.bindings": objects } = sections;
  return {
    compatibilityDate: top.compatibility_date,
    bindings: vars,
    durableObjects: { [objects.name]: { className: objects.class_name, useSQLite: true } },
  };
}

/**
 * The Worker as Miniflare takes it, with the bindings of `wrangler.toml` and a KV namespace as PORTICO. `bundle` is what
 * `portico build` made; `bindings` are variables and secrets, besides those; `probe: true` puts ./probe.js around the Worker;
 * anything else is Miniflare's own and wins.
 */
export function worker({ bundle, bindings = {}, probe = false, ...options }) {
  const made = (name) => readFileSync(needed(join(WORKER, name), "scripts/build-cloudflare"));
  const own = (name) => readFileSync(new URL(name, import.meta.url), "utf8");
  const modules = [
    { type: "ESModule", path: "worker.js", contents: made("worker.js").toString() },
    { type: "CompiledWasm", path: "portico.wasm", contents: made("portico.wasm") },
    { type: "Text", path: "bundle.json", contents: bundle },
  ];
  if (probe) {
    modules.unshift({ type: "ESModule", path: "entry.js", contents: own("entry.js") });
    modules.push({ type: "ESModule", path: "probe.js", contents: own("probe.js") });
  }
  const deployed = wrangler();
  return {
    name: "portico",
    ...deployed,
    modules,
    bindings: { ...deployed.bindings, ...bindings },
    kvNamespaces: ["PORTICO"],
    // clients talk to it without anything in between
    unsafeDirectSockets: probe ? [{}, { entrypoint: "Probe" }] : [{}],
    // what it sends upstream is to arrive as it was sent
    stripCfConnectingIp: false,
    ...options,
  };
}

/**
 * Starts Workers that `worker` or a test describes; they end with the test. `persist` is the folder of Durable Objects and
 * KV. Gives an object for each: `request` sends a request, `url` is where it listens; `probe` changes and tells the
 * state of its isolate; `logged` waits for a line of the log; `end` ends all of them early.
 */
export async function start(t, workers, { persist } = {}) {
  const lines = [];
  const waiting = new Set();
  const miniflare = new Miniflare({
    workers,
    log: new Log(LogLevel.NONE),
    cf: false,
    defaultPersistRoot: persist ?? folder(),
    handleStructuredLogs({ message }) {
      lines.push(message);
      for (const look of waiting) look();
    },
  });
  let ended;
  const end = () => (ended ??= miniflare.dispose());
  t.after(end);
  await miniflare.ready;
  /** The first line that says `text`, as soon as it is there. */
  const logged = (text) =>
    new Promise((resolve) => {
      const look = () => {
        const found = lines.find((line) => line.includes(text));
        if (found === undefined) return;
        waiting.delete(look);
        resolve(found);
      };
      waiting.add(look);
      look();
    });
  const started = workers.map(async ({ name, unsafeDirectSockets = [] }) => {
    if (unsafeDirectSockets.length === 0) return undefined;
    const url = await miniflare.unsafeGetDirectURL(name);
    const probed = unsafeDirectSockets.length > 1 ? await miniflare.unsafeGetDirectURL(name, "Probe") : undefined;
    const probe = async (changes = {}) => {
      const { text } = await request(probed, { method: "POST", body: JSON.stringify(changes) });
      return JSON.parse(text);
    };
    return { url, request: (target, options) => request(new URL(target, url), options), logged, lines, probe, miniflare, end };
  });
  return Promise.all(started);
}

/**
 * Starts one Worker with a configuration. `config` holds the configuration's keys; `workers` are more Workers, as Miniflare takes
 * them; the rest is what `worker` and `start` take.
 */
export async function gateway(t, config, { persist, workers = [], ...options } = {}) {
  const [one] = await start(t, [worker({ bundle: bundle(config), ...options }), ...workers], { persist });
  return one;
}
