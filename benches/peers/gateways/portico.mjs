// Portico, the subject: gateway.yaml beside this folder.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { needed } from "../../support.mjs";
import { root } from "../place.mjs";

const target = process.env.CARGO_TARGET_DIR ?? join(root, "target");
const binary = needed(process.env.PORTICO ?? join(target, "release/portico"));

export const name = "Portico";
export const kinds = ["plain", "policies", "limited", "routes", "cached", "tls"];
export const version = () => {
  const commit = execFileSync("git", ["-C", root, "rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  const changed = execFileSync("git", ["-C", root, "status", "--porcelain", "core", "native", "local-runner", "Cargo.toml", "Cargo.lock"], { encoding: "utf8" });
  return `${execFileSync(binary, ["--version"], { encoding: "utf8" }).trim().split(" ").pop()} (${commit}${changed ? ", changed" : ""})`;
};

/** The access log is written as in production, to nobody: it cannot be switched off. */
export function command({ kind, port, upstream, write, limit, routes, tls, token }) {
  write("keys.json", JSON.stringify(token.jwks));
  const config = kind === "routes" ? numbered(routes, upstream) : filled(upstream, limit);
  const secure = kind === "tls" ? ["--tls-cert", tls.certificate, "--tls-key", tls.key] : [];
  return [binary, "serve", "--config", write("gateway.yaml", config), "--listen", `127.0.0.1:${port}`, "--workers", "1", ...secure];
}

function filled(upstream, { requests, per }) {
  return readFileSync(join(root, "benches/peers/gateway.yaml"), "utf8")
    .replace("127.0.0.1:9000", `127.0.0.1:${upstream}`)
    .replace("limit: 1000000, per: 1s", `limit: ${requests}, per: ${per}`);
}

function numbered(count, upstream) {
  return JSON.stringify({
    portico: 1,
    name: "bench",
    upstreams: { origin: { targets: [{ url: `http://127.0.0.1:${upstream}` }], timeout: "30s" } },
    routes: Array.from({ length: count }, (_, index) => ({ name: `r${index}`, match: { path: `/r${index}/{*rest}` }, upstream: "origin" })),
  });
}
