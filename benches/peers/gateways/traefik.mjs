// Traefik, open source: it verifies no tokens and has no cache.

import { execFileSync } from "node:child_process";

export const name = "Traefik";
export const kinds = ["plain", "limited", "routes", "tls"];
export const version = () => execFileSync("traefik", ["version"], { encoding: "utf8" }).match(/Version:\s+(\S+)/)[1];

export function command({ kind, port, upstream, write, routes, tls }) {
  const rules = kind === "routes" ? Array.from({ length: routes }, (_, index) => `PathPrefix(\`/r${index}/\`)`) : ["PathPrefix(`/`)"];
  const router = (rule) => ({ rule, service: "origin", ...(kind === "limited" && { middlewares: ["limit"] }), ...(kind === "tls" && { tls: {} }) });
  const dynamic = {
    http: {
      routers: Object.fromEntries(rules.map((rule, index) => [`r${index}`, router(rule)])),
      services: { origin: { loadBalancer: { servers: [{ url: `http://127.0.0.1:${upstream}` }] } } },
      ...(kind === "limited" && { middlewares: { limit: { rateLimit: { average: 10, period: "1h", burst: 10 } } } }),
    },
    ...(kind === "tls" && { tls: { certificates: [{ certFile: tls.certificate, keyFile: tls.key }] } }),
  };
  const fixed = {
    global: { checkNewVersion: false, sendAnonymousUsage: false },
    log: { level: "ERROR" },
    entryPoints: { bench: { address: `127.0.0.1:${port}` } },
    providers: { file: { filename: write("dynamic.yaml", JSON.stringify(dynamic)), watch: false } },
  };
  return ["traefik", `--configFile=${write("traefik.yaml", JSON.stringify(fixed))}`];
}
