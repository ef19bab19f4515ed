// A gateway of any configuration, how long it took to load it, and how much memory it has.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { needed, port } from "../support.mjs";
import { corner } from "../peers/place.mjs";
import { GATEWAY, start } from "../peers/processes.mjs";
import { target } from "../platforms.mjs";

const binary = needed(process.env.PORTICO ?? join(target, "release/portico"));
let started = 0;

/** Portico with a configuration; `load` is the seconds from the start of its process until it listens. */
export async function portico(config, { options = [], path = "/" } = {}) {
  const began = Date.now();
  const server = await serve("Portico", ({ port, write }) => [binary, "serve", "--config", write("gateway.yaml", JSON.stringify(config)), "--listen", `127.0.0.1:${port}`, "--workers", "1", ...options], path);
  // it may answer before its log says that it listens
  let listening;
  while (!(listening = server.said().match(/"timestamp":"([^"]+)".*listening on/))) await wait(5);
  return { ...server, load: (Date.parse(listening[1]) - began) / 1000 };
}

/** What `command` starts, see benches/peers/gateways/. */
export async function serve(name, command, path) {
  const place = corner(`${name}-${started++}`);
  const at = await port();
  const url = `http://127.0.0.1:${at}`;
  const own = ["sh", "-c", 'echo $$ >pid; exec "$@"', "sh", ...command({ ...place, port: at })];
  const server = await start(name, GATEWAY, own, `${url}${path}`, place.folder);
  const id = Number(readFileSync(join(place.folder, "pid"), "utf8"));
  return { ...server, url, memory: () => memory(id) };
}

/** MiB that a process and its children have in memory; what they share counts once. The system's own for their sockets is not in it. */
function memory(id) {
  const family = [id, ...readFileSync(`/proc/${id}/task/${id}/children`, "utf8").split(" ").filter(Boolean)];
  const share = (one) => Number(readFileSync(`/proc/${one}/smaps_rollup`, "utf8").match(/^Pss:\s+(\d+)/m)[1]);
  return family.map(share).reduce((a, b) => a + b) / 1024;
}
