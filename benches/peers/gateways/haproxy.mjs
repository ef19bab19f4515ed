// HAProxy: tokens are checked as its documentation of jwt_verify shows, limits are stick tables, many routes are a map.

import { execFileSync } from "node:child_process";

export const name = "HAProxy";
export const kinds = ["plain", "policies", "limited", "routes", "cached", "tls"];
export const version = () => execFileSync("haproxy", ["-v"], { encoding: "utf8" }).match(/version (\S+)/)[1];

export function command({ kind, port, upstream, write, limit, routes, tls, token }) {
  const rules = {
    policies: `
  unique-id-format %[uuid()]
  unique-id-header X-Request-Id
  stick-table type string len 64 size 100k expire ${limit.per} store http_req_rate(${limit.per})
  http-request set-var(txn.bearer) http_auth_bearer
  http-request set-var(txn.now) date()
  http-request set-var(txn.alg) var(txn.bearer),jwt_header_query('$.alg')
  http-request set-var(txn.exp) var(txn.bearer),jwt_payload_query('$.exp','int')
  http-request set-var(txn.iss) var(txn.bearer),jwt_payload_query('$.iss')
  http-request set-var(txn.aud) var(txn.bearer),jwt_payload_query('$.aud')
  http-request set-var(txn.sub) var(txn.bearer),jwt_payload_query('$.sub')
  http-request deny deny_status 401 unless { var(txn.alg) -m str ES256 }
  http-request deny deny_status 401 unless { var(txn.iss) -m str ${token.issuer} }
  http-request deny deny_status 401 unless { var(txn.aud) -m str ${token.audience} }
  http-request deny deny_status 401 unless { var(txn.exp),sub(txn.now) -m int gt 0 }
  http-request deny deny_status 401 unless { var(txn.bearer),jwt_verify(txn.alg,"${token.pem}") -m int 1 }
  http-request track-sc0 var(txn.sub)
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt ${limit.requests} }
  http-request set-header X-User-Id %[var(txn.sub)]
  default_backend origin`,
    limited: `
  stick-table type ip size 100k expire 1h store http_req_rate(1h)
  http-request track-sc0 src
  http-request deny deny_status 429 if { sc_http_req_rate(0) gt 10 }
  default_backend origin`,
    cached: `
  http-request cache-use kept
  http-response cache-store kept
  default_backend origin`,
  };
  if (kind === "routes") {
    const map = write("routes.map", Array.from({ length: routes }, (_, index) => `r${index} origin\n`).join(""));
    rules.routes = `\n  use_backend %[path,field(2,/),map_str(${map})]`;
  }
  const config = `
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
  timeout http-keep-alive 30s
  option forwardfor
  http-reuse always
${kind === "cached" ? "cache kept\n  total-max-size 64\n  max-age 3600" : ""}
frontend bench
  bind 127.0.0.1:${port}${kind === "tls" ? ` ssl crt ${tls.both} alpn h2,http/1.1` : ""}${rules[kind] ?? "\n  default_backend origin"}
backend origin
  server origin 127.0.0.1:${upstream}
`;
  return ["haproxy", "-db", "-f", write("haproxy.cfg", config)];
}
