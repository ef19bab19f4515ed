// A large configuration.

import assert from "node:assert/strict";
import { gateway, test } from "./support/gateway.js";

test("a gateway of 1,000 routes starts and finds each of them", async (t) => {
  const routes = Array.from({ length: 1_000 }, (_, index) => ({
    name: `route-${index}`,
    match: { path: `/area-${index % 40}/{id}/part-${index}`, methods: ["GET"] },
    respond: { body: `${index} \${path.id}` },
    policies: { rate_limit: { limit: 10, per: "1h", by: "route", lease: 10 }, cors: { origins: [`https://o${index}.example`] } },
  }));
  const { request } = await gateway(t, { routes });
  for (const index of [0, 1, 499, 998, 999]) {
    assert.equal((await request(`/area-${index % 40}/seven/part-${index}`)).text, `${index} seven`);
  }
  assert.equal((await request("/area-1/seven/part-2")).status, 404);
});
