// What JavaScript does by itself: bodies that are read twice, and the cache of the data centre.

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { Miniflare } from "miniflare";
import { test } from "./support/gateway.js";
import { event, open, origin, request } from "./support/http.js";

const MIB = 1024 * 1024;

/** Starts ./support/parts.js; gives what makes a URL of a path and its parameters. */
async function parts(t) {
  const module = (path, folder) => {
    const contents = readFileSync(new URL(`${folder}/${path}`, import.meta.url), "utf8");
    return { type: "ESModule", path, contents };
  };
  const modules = [module("parts.js", "support"), module("bodies.js", "../js"), module("cache.js", "../js")];
  const miniflare = new Miniflare({ modules, compatibilityDate: "2026-04-01", unsafeDirectSockets: [{}] });
  t.after(() => miniflare.dispose());
  const url = await miniflare.unsafeGetDirectURL();
  return (path, parameters = {}) => new URL(`${path}?${new URLSearchParams(parameters)}`, url);
}

/** What the second half came to, as soon as it is known. */
async function seen(at) {
  for (;;) {
    const [first] = JSON.parse((await request(at("/seen"))).text);
    if (first !== undefined) return first;
  }
}

/** An upstream that sends so many bytes, their number declared. */
const sending = (t, length) => origin(t, (_, response) => response.setHeader("Content-Length", length).end(Buffer.alloc(length, "a")));

test("a body twice is the same body, and its length stays declared", async (t) => {
  const at = await parts(t);
  const { body, headers } = await request(at("/tee", { from: await sending(t, MIB), limit: MIB }));
  assert.deepEqual([body.length, headers["content-length"]], [MIB, String(MIB)]);
  assert.equal(await seen(at), MIB);
});

test("a body beyond the limit passes once, and the second one fails", async (t) => {
  const at = await parts(t);
  const { body } = await request(at("/tee", { from: await sending(t, 16 * MIB), limit: MIB - 1, take: 64 * MIB }));
  assert.equal(body.length, 16 * MIB);
  assert.equal(await seen(at), "too_large");
});

test("a second body that nobody reads holds nobody up", async (t) => {
  const at = await parts(t);
  const { body } = await request(at("/tee", { from: await sending(t, 16 * MIB), limit: MIB, drop: "" }));
  assert.equal(body.length, 16 * MIB);
});

test("a second body that is given up holds nobody up", async (t) => {
  const at = await parts(t);
  const { body } = await request(at("/tee", { from: await sending(t, 16 * MIB), limit: 16 * MIB, take: MIB }));
  assert.equal(body.length, 16 * MIB);
  assert.equal(await seen(at), "too_large");
});

test("a client that reads nothing holds nobody up", async (t) => {
  const at = await parts(t);
  const response = await open(at("/tee", { from: await sending(t, 8 * MIB), limit: 8 * MIB }));
  assert.equal(await seen(at), 8 * MIB);
  response.destroy();
});

test("a client that leaves ends its own body only", async (t) => {
  const at = await parts(t);
  const [left, go] = [event(), event()];
  const from = await origin(t, async (_, response) => {
    response.write("first ");
    await go.happened;
    response.end("second");
  });
  const response = await open(at("/tee", { from, limit: MIB }));
  await once(response, "data");
  response.socket.once("close", left.happen);
  response.destroy();
  await left.happened;
  go.happen();
  assert.equal(await seen(at), "first second".length);
});

test("a body that breaks off is broken twice", async (t) => {
  const at = await parts(t);
  const from = await origin(t, (_, response) => {
    response.writeHead(200, { "Content-Length": 100 });
    response.write("half", () => response.destroy());
  });
  await assert.rejects(request(at("/tee", { from, limit: MIB })));
  assert.equal(await seen(at), "broken");
});

test("bytes in the cache are found under their key and their host only", async (t) => {
  const at = await parts(t);
  const keep = (host, key, body) => request(at("/put", { host, key, limit: 60 }), { method: "PUT", body });
  const found = async (host, key, limit = 100) => {
    const { status, text } = await request(at("/look", { host, key, limit }));
    return status === 200 ? text : status;
  };
  const hosts = ["a.example", "a.example:8443", "b.example", "", "c#", "d?x", "e/.."];
  for (const host of hosts) {
    assert.equal(await found(host, "cache/one/1"), 404);
    for (const key of ["cache/one/1", "cache/two/1"]) assert.equal((await keep(host, key, `${host} ${key}`)).text, "");
  }
  for (const host of hosts) for (const key of ["cache/one/1", "cache/two/1"]) assert.equal(await found(host, key), `${host} ${key}`);
  await keep("a.example", "cache/one/1", "another one");
  assert.equal(await found("a.example", "cache/one/1"), "another one");
  for (const times of [1, 2]) {
    assert.equal((await request(at("/forget", { host: "b.example", key: "cache/one/1" }))).text, "", `${times}`);
    assert.equal(await found("b.example", "cache/one/1"), 404);
  }
  assert.equal(await found("b.example", "cache/two/1"), "b.example cache/two/1");
  assert.equal((await request(at("/look", { host: "a.example", key: "cache/one/1", limit: 3 }))).text, "too_large");
});
