// nginx, open source: it verifies no tokens. Connections to the upstream are kept as its documentation of ngx_http_upstream_module says.

import { spawnSync } from "node:child_process";
import { framed } from "../nginx.mjs";

export const name = "nginx";
export const kinds = ["plain", "limited", "routes", "cached", "tls"];
export const version = () => spawnSync("nginx", ["-v"], { encoding: "utf8" }).stderr.match(/nginx\/(\S+)/)[1];

export function command({ kind, port, upstream, folder, write, routes, tls }) {
  const forward = `
      proxy_pass http://origin;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_max_temp_file_size 0;`;
  const all = (more = "") => `location / { ${more} ${forward} }`;
  const http = {
    limited: "limit_req_zone $binary_remote_addr zone=ip:1m rate=10r/m; limit_req_status 429; limit_req_log_level info;",
    cached: `proxy_cache_path ${folder}/cache keys_zone=kept:10m use_temp_path=off; open_file_cache max=1000;`,
    tls: `ssl_certificate ${tls.certificate}; ssl_certificate_key ${tls.key}; ssl_session_cache shared:tls:10m; ssl_protocols TLSv1.2 TLSv1.3;`,
  };
  const locations = {
    limited: all("limit_req zone=ip burst=9 nodelay;"),
    cached: all("proxy_cache kept; proxy_cache_valid 200 1h;"),
    routes: Array.from({ length: routes }, (_, index) => `location /r${index}/ { ${forward} }`).join("\n"),
  };
  const config = framed(folder, `
  access_log off;
  keepalive_requests 1000000;
  ${http[kind] ?? ""}
  upstream origin { server 127.0.0.1:${upstream}; keepalive 128; keepalive_requests 1000000; }
  server {
    listen 127.0.0.1:${port}${kind === "tls" ? " ssl http2" : ""};
    ${locations[kind] ?? all()}
  }`);
  return ["nginx", "-c", write("nginx.conf", config), "-e", "stderr"];
}
