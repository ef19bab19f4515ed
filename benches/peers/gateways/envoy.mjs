// Envoy: jwt_authn with its cache of tokens, which is as large as ours, and local_ratelimit with a bucket for each caller.

import { execFileSync } from "node:child_process";

export const name = "Envoy";
export const kinds = ["plain", "policies", "limited", "routes", "tls"];
export const version = () => execFileSync("envoy", ["--version"], { encoding: "utf8" }).match(/\/(\d+\.\d+\.\d+)\//)[1];

const type = (path) => ({ "@type": `type.googleapis.com/envoy.${path}` });
const filter = (name, path, config) => ({ name: `envoy.filters.http.${name}`, typed_config: { ...type(`extensions.filters.http.${path}`), ...config } });
const router = filter("router", "router.v3.Router", {});

export function command({ kind, port, upstream, write, limit, routes, tls, token }) {
  const filters = {
    policies: [jwt(token), perCaller({ request_headers: { header_name: "x-user-id", descriptor_key: "caller" } }, "caller", limit)],
    limited: [perCaller({ remote_address: {} }, "remote_address", { requests: 10, per: "1h" })],
  };
  const forward = { cluster: "origin", timeout: "30s" };
  const many = () => Array.from({ length: routes }, (_, index) => ({ match: { path_separated_prefix: `/r${index}` }, route: forward }));
  const manager = {
    ...type("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
    stat_prefix: "bench",
    use_remote_address: true,
    route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes: kind === "routes" ? many() : [{ match: { prefix: "/" }, route: forward }] }] },
    http_filters: [...(filters[kind] ?? []), router],
  };
  const listener = {
    address: address(port),
    filter_chains: [{ filters: [{ name: "envoy.filters.network.http_connection_manager", typed_config: manager }], ...(kind === "tls" && secure(tls)) }],
  };
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(upstream) } }] }];
  const clusters = [{ name: "origin", type: "STATIC", connect_timeout: "5s", load_assignment: { cluster_name: "origin", endpoints } }];
  const config = write("envoy.json", JSON.stringify({ static_resources: { listeners: [listener], clusters } }));
  return ["envoy", "-c", config, "--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"];
}

const address = (port) => ({ socket_address: { address: "127.0.0.1", port_value: port } });

function secure({ certificate, key }) {
  const tls_certificates = [{ certificate_chain: { filename: certificate }, private_key: { filename: key } }];
  const common_tls_context = { alpn_protocols: ["h2", "http/1.1"], tls_certificates };
  return { transport_socket: { name: "envoy.transport_sockets.tls", typed_config: { ...type("extensions.transport_sockets.tls.v3.DownstreamTlsContext"), common_tls_context } } };
}

const jwt = ({ issuer, audience, jwks }) =>
  filter("jwt_authn", "jwt_authn.v3.JwtAuthentication", {
    providers: {
      users: {
        issuer,
        audiences: [audience],
        local_jwks: { inline_string: JSON.stringify(jwks) },
        claim_to_headers: [{ header_name: "x-user-id", claim_name: "sub" }],
        jwt_cache_config: { jwt_cache_size: 10_000 },
      },
    },
    rules: [{ match: { prefix: "/" }, requires: { provider_name: "users" } }],
  });

/** A bucket for each value of what `action` describes under `key`. */
function perCaller(action, key, { requests, per }) {
  const fill_interval = { "1s": "1s", "1h": "3600s" }[per];
  const always = { default_value: { numerator: 100, denominator: "HUNDRED" } };
  return filter("local_ratelimit", "local_ratelimit.v3.LocalRateLimit", {
    stat_prefix: "limit",
    token_bucket: { max_tokens: 1_000_000, tokens_per_fill: 1_000_000, fill_interval },
    filter_enabled: always,
    filter_enforced: always,
    rate_limits: [{ actions: [action] }],
    descriptors: [{ entries: [{ key }], token_bucket: { max_tokens: requests, tokens_per_fill: requests, fill_interval } }],
    max_dynamic_descriptors: 10_000,
  });
}
