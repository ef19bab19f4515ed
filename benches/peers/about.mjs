// What the page says of each scenario.

export const TITLES = {
  plain: "Plain proxy",
  repeated: "Policies, one token",
  callers: "Policies, 2,000 tokens",
  forged: "401, a forged token",
  missing: "401, no token",
  limited: "429",
  routes: "1,000 routes",
  flat: "10,000 routes beside 10",
  cached: "Cache hit",
  stream: "10 MB",
  tls: "TLS",
  latency: "Latency at half load",
};

export const ABOUT = {
  plain: "A response of 1 KiB, passed on.",
  repeated:
    "An ES256 token is verified (signature, issuer, audience, `exp`), each subject has a limit that is never reached, `X-User-Id` is set from the token, and the request gets an id. All requests have the same token. " +
    "Portico and Envoy (`jwt_cache_config`) remember tokens that they have verified, up to 10,000 of them; HAProxy verifies each time. nginx, Traefik and Caddy verify no tokens without modules or editions that are not free.",
  callers: "The same with 2,000 tokens of 2,000 subjects, in turn.",
  forged: "The same, with a token that another key has signed: its signature is checked each time.",
  missing: "The same, without a token.",
  limited: "A limit of ten an hour for each address, long used up. Caddy has no limits as it is shipped.",
  routes:
    "One route for each first segment of the path, requests for all of them in turn. HAProxy looks them up in a map, which is how its documentation does it.",
  flat: "Portico beside itself in eight times as many rounds, because a small difference counts here: with 10,000 routes of that kind, 1,000 of which are asked for in turn, and with 10.",
  cached: "1 KiB out of the cache; the upstream is not asked. Portico, HAProxy and Varnish keep it in memory, nginx in a file. Envoy, Traefik and Caddy have no cache that is meant for production as they are shipped.",
  stream: "A file of 10 MB, passed on, on 8 connections. Each has its own default buffers: those of nginx are eight of 4 KiB.",
  tls: "As plain proxy, over connections with TLS that are kept open.",
  latency:
    "Plain proxy, each at half of what it had done without a pause just before. A request's time begins when it was due, not when it could be sent, so that a gateway that stalls is not spared (coordinated omission). The column after p99 is what the load tool sees at that rate right at the upstream, without a gateway, just before: with so much its own core is busy.",
};
