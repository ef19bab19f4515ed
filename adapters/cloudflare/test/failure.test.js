// A panic of the WebAssembly instance: who was in it is told, and the next request gets a new one.

import assert from "node:assert/strict";
import { gateway, test } from "./support/gateway.js";
import { event, origin, passing } from "./support/http.js";
import { limited } from "./support/limits.js";
import { guarded } from "./support/tokens.js";

/** As often each panic happens: an instance that takes over is as good as the first. */
const TIMES = 10;

/** A problem of the gateway's, and not of somebody else's. */
function is_panic({ status, headers, text }) {
  assert.equal(status, 500);
  assert.equal(headers["content-type"], "application/problem+json");
  assert.deepEqual(JSON.parse(text), {
    type: "urn:portico:problem:internal_error",
    title: "Something went wrong inside the gateway.",
    status: 500,
    instance: headers["x-request-id"],
    code: "internal_error",
  });
}

test("a panic before a request goes on is a 500, and the next request is served", async (t) => {
  const { request, probe } = await gateway(t, limited({ limit: 100, per: "1h" }), { probe: true });
  for (let time = 1; time <= TIMES; time += 1) {
    await probe({ trap: "fetch" });
    is_panic(await request("/"));
    assert.equal((await request("/")).text, "passed");
    assert.equal((await probe()).instances, 1 + time);
  }
});

test("a panic after the upstream replied is a 500, and the next request is served", async (t) => {
  const url = await origin(t, (_, response) => response.end("from upstream"));
  const { request, probe } = await gateway(t, passing(url), { probe: true });
  for (let time = 1; time <= TIMES; time += 1) {
    await probe({ trap: "resume" });
    is_panic(await request("/"));
    assert.equal((await request("/")).text, "from upstream");
    assert.equal((await probe()).instances, 1 + time);
  }
});

test("a panic after a rate limit was taken is a 500, and the next request is served", async (t) => {
  const { request, probe } = await gateway(t, limited({ limit: 100, per: "1h" }), { probe: true });
  for (let time = 1; time <= TIMES; time += 1) {
    await probe({ trap: "settle" });
    is_panic(await request("/"));
    assert.equal((await request("/")).text, "passed");
    assert.equal((await probe()).instances, 1 + time);
  }
});

test("whoever waits for the upstream while another request panics gets a 500 too", async (t) => {
  const [all_wait, all_told] = [event(), event()];
  let waiting = 0;
  const url = await origin(t, async ({ url }, response) => {
    if (url === "/wait") {
      waiting += 1;
      if (waiting === 8) all_wait.happen();
      await all_told.happened;
    }
    response.end("from upstream");
  });
  const { request, probe } = await gateway(t, passing(url), { probe: true });
  const waiters = Array.from({ length: 8 }, () => request("/wait"));
  await all_wait.happened;
  await probe({ trap: "fetch" });
  is_panic(await request("/"));
  (await Promise.all(waiters)).forEach(is_panic);
  // replies to those who are no more do not disturb the new instance
  const next = request("/wait");
  all_told.happen();
  assert.equal((await next).text, "from upstream");
  assert.equal((await request("/")).text, "from upstream");
  assert.equal((await probe()).instances, 2);
});

test("whoever waits for a rate limit while another request panics gets a 500 too", async (t) => {
  const [waits, told] = [event(), event()];
  const url = await origin(t, async (_, response) => {
    waits.happen();
    await told.happened;
    response.end();
  });
  const { request, probe } = await gateway(t, limited({ limit: 3, per: "1h" }), { probe: true });
  await probe({ hold: url });
  const waiter = request("/");
  await waits.happened;
  await probe({ hold: null, trap: "fetch" });
  is_panic(await request("/-/health"));
  is_panic(await waiter);
  told.happen();
  assert.equal((await request("/")).headers["x-ratelimit-remaining"], "1");
  assert.equal((await probe()).instances, 2);
});

test("a panic after the response harms nobody", async (t) => {
  const bindings = { PORTICO_OVERRIDE_INTERVAL: "0" };
  const { request, probe, logged } = await gateway(t, limited({ limit: 3, per: "1h" }), { probe: true, bindings });
  await probe({ trap: "read" });
  assert.equal((await request("/")).text, "passed");
  await logged("RuntimeError");
  assert.equal((await request("/")).text, "passed");
  assert.equal((await probe()).instances, 2);
});

test("a panic in a step of a rate limit fails that step only", async (t) => {
  const { request, probe } = await gateway(t, limited({ limit: 2, per: "1h" }), { probe: true });
  assert.equal((await request("/")).status, 200);
  for (let time = 1; time <= TIMES; time += 1) {
    await probe({ trap: "limit" });
    is_panic(await request("/"));
    assert.equal((await request("/-/health")).status, 200);
    assert.equal((await probe()).instances, 1 + time);
  }
  assert.deepEqual([(await request("/")).status, (await request("/")).status], [200, 429]);
});

test("a panic after a key was read from KV is a 500, and the next request is served", async (t) => {
  const { request, probe } = await gateway(t, guarded({ api_key: { store: {} } }), { probe: true });
  for (let time = 1; time <= TIMES; time += 1) {
    await probe({ trap: "poll" });
    is_panic(await request("/", { headers: { "X-API-Key": "a".repeat(43) } }));
    assert.equal((await request("/-/health")).status, 200);
    assert.equal((await probe()).instances, 1 + time);
  }
});
