// Caddy, as it is shipped: it verifies no tokens, and has neither limits nor a cache.

import { execFileSync } from "node:child_process";

export const name = "Caddy";
export const kinds = ["plain", "routes", "tls"];
export const version = () => execFileSync("caddy", ["version"], { encoding: "utf8" }).match(/v(\S+)/)[1];

export function command({ kind, port, upstream, write, routes, tls }) {
  const forward = `reverse_proxy 127.0.0.1:${upstream} { transport http { keepalive_idle_conns_per_host 128 } }`;
  const config = {
    site: `${kind === "tls" ? "https" : "http"}://127.0.0.1:${port}`,
    tls: kind === "tls" ? `tls ${tls.certificate} ${tls.key}` : "",
    rules: kind === "routes" ? `${numbered(routes)}\nhandle {\n respond 404\n}` : "import origin",
  };
  const file = `
{
  admin off
  auto_https off
  persist_config off
  log {
    level ERROR
  }
}
(origin) {
  ${forward.replaceAll("{ ", "{\n").replaceAll(" }", "\n}")}
}
${config.site} {
  ${config.tls}
  ${config.rules}
}
`;
  return ["caddy", "run", "--config", write("Caddyfile", file), "--adapter", "caddyfile"];
}

const numbered = (count) => Array.from({ length: count }, (_, index) => `handle /r${index}/* {\n import origin\n}`).join("\n");
