// What docs/deploy-cloudflare.md says of the Worker, and no case shows.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { bundle, gateway, test } from "./support/gateway.js";
import { origin, passing } from "./support/http.js";

test("a request with GET or HEAD and a body is refused, and does not go upstream", async (t) => {
  let received = 0;
  const url = await origin(t, (_, response) => {
    received += 1;
    response.end();
  });
  const { request } = await gateway(t, passing(url));
  for (const method of ["GET", "HEAD"]) {
    const { status, headers } = await request("/", { method, headers: { "Content-Length": "4" }, body: "body" });
    assert.deepEqual([method, status, headers["content-type"]], [method, 400, "application/problem+json"]);
  }
  assert.equal(received, 0);
  assert.equal((await request("/", { method: "POST", body: "body" })).status, 200);
  assert.equal(received, 1);
});

test("an upstream that nobody is at is told as one that broke", async (t) => {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  await new Promise((closed) => server.close(closed));
  const { request } = await gateway(t, passing(`http://127.0.0.1:${port}`));
  const { status, text } = await request("/");
  assert.deepEqual([status, JSON.parse(text).code], [502, "upstream_broken"]);
});

test("the runtime's cache is neither read nor filled", async (t) => {
  const url = await origin(t, (request, response) => response.end(JSON.stringify(request.headers)));
  const { request } = await gateway(t, passing(url));
  const fields = async (headers) => JSON.parse((await request("/report.csv", { headers })).text);
  const { pragma, "cache-control": added } = await fields({});
  assert.deepEqual([pragma, added], ["no-cache", "no-cache"]);
  assert.equal((await fields({ "Cache-Control": "max-age=60" }))["cache-control"], "max-age=60");
});

test("what cannot be sent does not reach the instance as an exception", async (t) => {
  const url = await origin(t, (_, response) => response.end("passed"));
  const config = passing(url);
  // bound, and no service
  config.upstreams.values = { targets: [{ url: "binding://PORTICO" }] };
  config.routes.push({ name: "values", match: { path: "/values" }, upstream: "values" });
  const { request, probe } = await gateway(t, config, { probe: true });
  const { status, text } = await request("/", { method: "POST", headers: { "Content-Length": "9007199254740993" }, body: "x" });
  assert.deepEqual([status, JSON.parse(text).code], [400, "request_malformed"]);
  const unbound = await request("/values");
  assert.deepEqual([unbound.status, JSON.parse(unbound.text).code], [502, "upstream_unreachable"]);
  assert.equal((await request("/")).text, "passed");
  assert.equal((await probe()).instances, 1);
});

test("a response that the runtime does not send is a broken one", async (t) => {
  const url = await origin(t, (_, response) => response.writeHead(600).end());
  const { request } = await gateway(t, passing(url));
  const { status, text } = await request("/");
  assert.deepEqual([status, JSON.parse(text).code], [502, "upstream_broken"]);
});

test("each request is a line of the log, unless that is turned off", async (t) => {
  const config = { routes: [{ name: "a", match: { path: "/" }, respond: { body: "a" } }] };
  const told = async (bindings) => {
    const { request, miniflare, logged, lines } = await gateway(t, config, {
      bindings: { PORTICO_OVERRIDE_INTERVAL: "0", ...bindings },
    });
    const store = await miniflare.getKVNamespace("PORTICO");
    await store.put("bundle", bundle({ ...config, name: "other" }));
    await request("/");
    // comes after the line of the request that brought it
    await logged("is in force");
    return lines.filter((line) => line.startsWith("{")).map((line) => JSON.parse(line));
  };
  const [line, ...others] = await told({});
  assert.deepEqual(others, []);
  assert.deepEqual([line.method, line.path, line.status, line.route, line.client], ["GET", "/", 200, "a", "192.0.2.1"]);
  assert.deepEqual(await told({ PORTICO_ACCESS_LOG: "off" }), []);
});
