// Before a gateway is measured: does it do what it is measured for? Each function throws if it does not.

import { deepStrictEqual, ok, strictEqual } from "node:assert";
import { setTimeout as wait } from "node:timers/promises";
import { ask } from "./ask.mjs";
import { tokens } from "./place.mjs";
import { BODY, LARGE, NOTED } from "./upstream.mjs";

const bearer = (token) => ({ Authorization: `Bearer ${token}` });

/** Asks, and gives the answer with what the upstream saw of it. */
async function see({ url, upstream }, path, headers = {}) {
  const answer = await ask(`${url}${path}`, { ...NOTED, ...headers });
  // it writes down what it has answered
  for (let times = 0; times < 40; times++) {
    const seen = upstream.noted();
    if (seen.length) return { ...answer, seen };
    await wait(5);
  }
  return { ...answer, seen: [] };
}

/** It comes from the upstream, and is what that answers. */
async function forwarded(server, path, headers) {
  const { status, body, seen, cipher } = await see(server, path, headers);
  strictEqual(status, 200);
  strictEqual(body.toString(), BODY);
  deepStrictEqual(seen.map(({ path }) => path), [path]);
  return { ...seen[0], cipher };
}

/** It is refused, and the upstream hears nothing of it. */
async function refused(server, path, status, headers, what) {
  const answer = await see(server, path, headers);
  ok([status].flat().includes(answer.status), `${what}: ${answer.status}`);
  deepStrictEqual(answer.seen, [], what);
}

export async function plain(server) {
  const { cipher } = await forwarded(server, "/plain");
  return { cipher };
}

export async function stream({ url }) {
  const { status, body } = await ask(`${url}/stream`);
  strictEqual(status, 200);
  strictEqual(body.length, LARGE);
}

/** Who a token is for reaches the upstream, as does a request's id; what is no good token is refused; and so is who asks too often, alone. */
export async function policies(server, { again }) {
  for (const number of [0, 1_999]) {
    const { user, id } = await forwarded(server, "/policies", { ...bearer(tokens.callers[number]), "X-User-Id": "admin" });
    strictEqual(user, `caller-${number}`);
    ok(id);
  }
  await refused(server, "/policies", 401, {}, "no token");
  await refused(server, "/policies", 401, bearer(tokens.forged), "a forged one");
  for (const [what, token] of Object.entries(tokens.refused)) {
    // Envoy says 403 of an audience
    await refused(server, "/policies", [401, 403], bearer(token), what);
  }

  const strict = await again({ limit: { requests: 5, per: "1h" } });
  for (let time = 0; time < 5; time++) await forwarded(strict, "/policies", bearer(tokens.callers[0]));
  await refused(strict, "/policies", 429, bearer(tokens.callers[0]), "too often");
  await forwarded(strict, "/policies", bearer(tokens.callers[1]));
  await strict.end();
}

/** Ten pass, more do not; whoever looked whether it is there was counted, too. */
export async function limited(server) {
  for (let time = 0; time < 8; time++) await forwarded(server, "/limited");
  for (let time = 0; time < 2; time++) await see(server, "/limited");
  await refused(server, "/limited", 429);
}

export async function numbered(server, { routes }) {
  for (const number of [0, routes - 1]) await forwarded(server, `/r${number}/items/7`);
  const { status, seen } = await see(server, `/r${routes}/items/7`);
  ok(status >= 400, "a path of no route");
  deepStrictEqual(seen, []);
}

/** Whatever comes first, later the upstream is not asked. */
export async function cached(server) {
  await see(server, "/cached");
  await wait(50);
  const { status, body, seen } = await see(server, "/cached");
  strictEqual(status, 200);
  strictEqual(body.toString(), BODY);
  deepStrictEqual(seen, []);
}
