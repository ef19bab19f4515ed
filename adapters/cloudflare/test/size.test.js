// Many routes, many clients.

import assert from "node:assert/strict";
import { gateway, test } from "./support/gateway.js";
import { abandoned, event, origin, passing } from "./support/http.js";

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

/** More than a runtime's usual bounds. */
const MANY = 1_100;

/** An upstream that says when `MANY` requests of `/wait` are there, and when they are gone; they wait to be let go. */
async function waiting(t) {
  const [there, gone, go] = [event(), event(), event()];
  let count = 0;
  const url = await origin(t, async (request, response) => {
    if (request.url === "/wait") {
      count += 1;
      if (count === MANY) there.happen();
      response.on("close", () => {
        count -= 1;
        if (count === 0) gone.happen();
      });
      await go.happened;
    }
    response.end("served");
  });
  return { url, there: there.happened, gone: gone.happened, go: go.happen };
}

test("1,100 clients that wait at once are all served", async (t) => {
  const { url, there, go } = await waiting(t);
  const { request } = await gateway(t, passing(url));
  const responses = Array.from({ length: MANY }, () => request("/wait"));
  await there;
  go();
  assert.ok((await Promise.all(responses)).every(({ text }) => text === "served"));
});

test("1,100 clients that vanish leave a gateway that serves the next", async (t) => {
  const { url, there, gone } = await waiting(t);
  const { url: at, request } = await gateway(t, passing(url));
  const clients = Array.from({ length: MANY }, () => abandoned(new URL("/wait", at)));
  await there;
  for (const leave of clients) leave();
  await gone;
  for (let sent = 0; sent < 20; sent += 1) assert.equal((await request("/")).text, "served");
});
