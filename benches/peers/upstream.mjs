// The upstream of all: an nginx that answers 1 KiB out of its configuration, on the core of the load. It counts requests, and writes down those that ask for it.

import { closeSync, ftruncateSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { port } from "../support.mjs";
import { ask } from "./ask.mjs";
import { corner } from "./place.mjs";
import { LOAD, start } from "./processes.mjs";
import { framed } from "./nginx.mjs";

/** What it answers. */
export const BODY = "0123456789abcdef".repeat(64);
/** Bytes of `/stream`. */
export const LARGE = 10_000_000;

/** A request with this field is written down. */
export const NOTED = { "X-Noted": "1" };

export async function upstream() {
  const { folder, write } = corner("upstream");
  const seen = write("seen.log", "");
  const file = openSync(join(folder, "stream"), "w");
  ftruncateSync(file, LARGE);
  closeSync(file);
  const listens = await port();
  const config = framed(folder, `
  map $http_x_noted $noted { default 0; 1 1; }
  log_format seen escape=json '{"path":"$uri","user":"$http_x_user_id","id":"$http_x_request_id"}';
  access_log ${seen} seen if=$noted;
  default_type text/plain;
  keepalive_requests 100000000;
  keepalive_timeout 300s;
  server {
    listen 127.0.0.1:${listens};
    location / { return 200 ${BODY}; }
    location = /cached { add_header Cache-Control max-age=3600; return 200 ${BODY}; }
    location = /stream { root ${folder}; open_file_cache max=10; }
    location = /status { stub_status; }
  }`);
  const url = `http://127.0.0.1:${listens}`;
  const started = await start("the upstream", LOAD, ["nginx", "-c", write("nginx.conf", config), "-e", "stderr"], `${url}/`, folder);
  /** How many requests it has had; that one is not counted. */
  const count = async () => {
    const { body } = await ask(`${url}/status`);
    return Number(body.toString().match(/\n\s*\d+ \d+ (\d+)/)[1]);
  };
  let read = 0;
  /** What it has written down since it was asked last. */
  const noted = () => {
    const lines = readFileSync(seen, "utf8").split("\n").slice(0, -1);
    const fresh = lines.slice(read);
    read = lines.length;
    return fresh.map((line) => JSON.parse(line));
  };
  return { ...started, url, port: listens, count, noted };
}
