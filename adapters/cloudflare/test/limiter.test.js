// Rate limits in Durable Objects.

import assert from "node:assert/strict";
import { folder, gateway, test } from "./support/gateway.js";
import { at_once, count, limited, two } from "./support/limits.js";

const HOUR = { limit: 20, per: "1h" };

test("of 64 clients at once in two isolates exactly the limit passes", async (t) => {
  const [first, second] = await two(t, HOUR);
  const responses = await at_once(64, first, second);
  assert.equal(count(responses, 200), 20);
  assert.equal(count(responses, 429), 44);
  // all of them stepped in the one object, and each isolate served its half
  assert.equal((await first.probe()).taken, 64);
  assert.equal((await second.probe()).taken, 0);
  const passed = responses.filter(({ status }) => status === 200);
  const remaining = passed.map(({ headers }) => Number(headers["x-ratelimit-remaining"]));
  assert.deepEqual(remaining.sort((a, b) => a - b), Array.from({ length: 20 }, (_, index) => index));
});

test("keys do not count for each other", async (t) => {
  const { request } = await gateway(t, limited({ limit: 1, per: "1h", by: { header: "X-Tenant" } }));
  const statuses = async (tenant) => {
    const headers = { "X-Tenant": tenant };
    return [(await request("/", { headers })).status, (await request("/", { headers })).status];
  };
  assert.deepEqual(await statuses("a"), [200, 429]);
  assert.deepEqual(await statuses("b"), [200, 429]);
});

test("a limit is remembered when the runtime starts anew", async (t) => {
  const persist = folder();
  const config = limited({ limit: 3, per: "1h" });
  const before = await gateway(t, config, { persist });
  assert.equal(count(await at_once(5, before), 200), 3);
  await before.end();
  const after = await gateway(t, config, { persist });
  assert.equal(count(await at_once(5, after), 200), 0);
});

test("a limit is remembered when its object starts anew", async (t) => {
  const one = await gateway(t, limited({ limit: 3, per: "1h" }), { probe: true });
  assert.equal(count(await at_once(2, one), 200), 2);
  await one.probe({ abort: true });
  assert.equal((await one.request("/")).status, 503);
  assert.equal(count(await at_once(3, one), 200), 1);
});

test("a request that is refused writes nothing", async (t) => {
  const one = await gateway(t, limited({ limit: 3, per: "1h" }), { probe: true });
  await at_once(20, one);
  const { taken, puts } = await one.probe();
  assert.deepEqual({ taken, puts }, { taken: 20, puts: 3 });
});

test("an object forgets a bucket that is full again, not before", async (t) => {
  const one = await gateway(t, limited({ limit: 2, per: "100ms" }), { probe: true });
  await one.request("/");
  // the bucket becomes full later than when the alarm was set
  await one.probe({ clock: 1_500 });
  await one.request("/");
  await one.probe({ clock: 0 });
  assert.match(await one.logged("alarm over"), /"state"/);
  await one.logged("alarm over []");
  assert.equal((await one.request("/")).headers["x-ratelimit-remaining"], "1");
});

test("an object that forgot sets the next alarm", async (t) => {
  const one = await gateway(t, limited({ limit: 2, per: "100ms" }), { probe: true });
  await one.request("/");
  await one.logged("alarm over []");
  const { alarms } = await one.probe();
  await one.request("/");
  await one.logged(`alarm over [] ${alarms + 1}`);
});

const unreachable = {
  "whose class throws": { probe: true, durableObjects: { PORTICO_LIMITS: { className: "Broken", useSQLite: true } } },
  "that is not bound": { durableObjects: {} },
};

for (const [which, options] of Object.entries(unreachable)) {
  test(`without an object, ${which}, on_error decides`, async (t) => {
    const deny = await gateway(t, limited({ ...HOUR, on_error: "deny" }), options);
    const denied = await at_once(24, deny);
    assert.equal(count(denied, 503), 24);
    assert.equal(JSON.parse(denied[0].text).code, "store_unavailable");
    await deny.logged("rate limit: ");

    const allow = await gateway(t, limited({ ...HOUR, on_error: "allow" }), options);
    assert.equal(count(await at_once(24, allow), 200), 24);

    const local = await gateway(t, limited({ ...HOUR, on_error: "local" }), options);
    const counted = await at_once(24, local);
    assert.deepEqual([count(counted, 200), count(counted, 429)], [20, 4]);
  });
}
