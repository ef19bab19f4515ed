// Rate limits of which instances take several units at once.

import assert from "node:assert/strict";
import { gateway, test } from "./support/gateway.js";
import { abandoned, event, origin } from "./support/http.js";
import { at_once, limited, two } from "./support/limits.js";

const LEASED = { limit: 100, per: "1h", lease: 20 };

/** What docs/configuration.md says of leases: what two instances held on top of what the store lets pass. */
const BOUND = LEASED.limit * 2 + 2 * (LEASED.lease - 1);

/** 64 clients at once, each until it is refused; how many requests passed. */
async function exhaust(...gateways) {
  let passed = 0;
  const client = async (_, index) => {
    while ((await gateways[index % gateways.length].request("/")).status === 200) passed += 1;
  };
  await Promise.all(Array.from({ length: 64 }, client));
  return passed;
}

test("of 64 clients at once in two isolates with leases exactly the limit passes", async (t) => {
  const both = await two(t, LEASED);
  // whoever is refused found nothing in its isolate: all that was leased is spent
  assert.equal(await exhaust(...both), 100);
});

test("what isolates hold when a window begins passes besides the limit, within the bound", async (t) => {
  const [first, second] = await two(t, LEASED);
  for (const one of [first, second]) for (let sent = 0; sent < 20; sent += 1) await one.request("/");
  // nearly all of the window: the bucket is full again, and what is held may still be spent
  const clock = 59 * 60_000;
  for (const one of [first, second]) await one.probe({ clock });
  const passed = await exhaust(first, second);
  assert.ok(passed > LEASED.limit, `${passed} passed`);
  assert.ok(passed <= BOUND, `${passed} passed`);
});

test("an isolate asks the object once for as many requests as it leases", async (t) => {
  const one = await gateway(t, limited({ limit: 200, per: "1h", lease: 50 }), { probe: true });
  for (let sent = 0; sent < 200; sent += 1) assert.equal((await one.request("/")).status, 200);
  // 1, 2, 4, 8, 16, 32 and 50 at a time; the last lease is what is left
  const { taken, puts } = await one.probe();
  assert.ok(taken <= 6 + Math.ceil((200 - 63) / 50), `asked ${taken} times`);
  assert.equal(puts, taken);
  const refused = await at_once(20, one);
  assert.ok(refused.every(({ status }) => status === 429));
  // which it knows without asking
  assert.equal((await one.probe()).taken, taken);
});

test("a client that leaves while it asks for a lease takes no more than that along", async (t) => {
  const [asked, answer] = [event(), event()];
  const hold = await origin(t, async (_, response) => {
    asked.happen();
    await answer.happened;
    response.end();
  });
  const one = await gateway(t, limited({ limit: 100, per: "1h", lease: 50 }), { probe: true });
  await one.probe({ hold });
  const leave = abandoned(one.url);
  await asked.happened;
  leave();
  await one.probe({ hold: null });
  // nobody knows yet that it left
  for (let sent = 0; sent < 5; sent += 1) assert.equal((await one.request("/")).status, 200);
  await one.probe({ clock: 2_000 });
  const { taken } = await one.probe();
  for (let sent = 0; sent < 90; sent += 1) assert.equal((await one.request("/")).status, 200);
  const more = (await one.probe()).taken - taken;
  assert.ok(more <= 7, `asked ${more} times`);
});
