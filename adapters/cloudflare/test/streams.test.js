// Bodies stream through, however long they are, without a part in WebAssembly.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { Readable } from "node:stream";
import { Miniflare, fetch } from "miniflare";
import { gateway, test } from "./support/gateway.js";
import { CLIENT, event, open, origin, passing } from "./support/http.js";

const MIB = 1024 * 1024;
const LONG = 300;

/** 300 MB that differ from MB to MB. */
function* long() {
  const chunk = Buffer.alloc(MIB);
  for (let at = 0; at < LONG; at += 1) {
    chunk.fill(at % 251);
    yield Buffer.from(chunk);
  }
}

/** Reads a body to its end: how long it is, and its digest. */
async function digest(body) {
  const hash = createHash("sha1");
  let length = 0;
  for await (const chunk of body) {
    hash.update(chunk);
    length += chunk.length;
  }
  return { length, digest: hash.digest("hex") };
}

const framings = {
  "a declared length": { headers: { "Content-Length": LONG * MIB }, policies: {} },
  "an unknown length, within a bound,": { headers: {}, policies: { body_limit: "400MiB" } },
};

for (const [framing, { headers, policies }] of Object.entries(framings)) {
  test(`a response of 300 MB with ${framing} passes, and WebAssembly takes no memory for it`, async (t) => {
    const url = await origin(t, (request, response) => {
      if (request.url === "/short") return response.end("short");
      response.writeHead(200, headers);
      Readable.from(long()).pipe(response);
    });
    const { url: at, request, probe } = await gateway(t, passing(url, policies), { probe: true });
    await request("/short");
    const { memory } = await probe();
    const response = await open(new URL("/long", at));
    assert.deepEqual(await digest(response), await digest(long()));
    assert.equal((await probe()).memory, memory);
  });

  test(`a request of 300 MB with ${framing} passes, and WebAssembly takes no memory for it`, async (t) => {
    const url = await origin(t, async (request, response) => response.end(JSON.stringify(await digest(request))));
    const { request, probe } = await gateway(t, passing(url, policies), { probe: true });
    await request("/", { method: "POST", body: "short" });
    const { memory } = await probe();
    const response = await request("/", { method: "POST", body: Readable.from(long()), headers });
    assert.deepEqual(JSON.parse(response.text), await digest(long()));
    assert.equal((await probe()).memory, memory);
  });
}

test("a body over body_limit is refused, whether its length is declared or not", async (t) => {
  let arrived = 0;
  const url = await origin(t, async (request, response) => {
    for await (const chunk of request) arrived += chunk.length;
    response.end("taken");
  });
  const { request } = await gateway(t, passing(url, { body_limit: "1KiB" }));
  const parts = Array.from({ length: 64 }, () => Buffer.alloc(1024));
  for (const headers of [{ "Content-Length": 64 * 1024 }, {}]) {
    const response = await request("/", { method: "POST", body: Readable.from(parts), headers });
    assert.equal(response.status, 413);
    assert.equal(JSON.parse(response.text).code, "body_too_large");
  }
  assert.ok(arrived <= 1024, `${arrived} bytes arrived`);
  const response = await request("/", { method: "POST", body: Readable.from(parts.slice(0, 1)) });
  assert.equal(response.text, "taken");
});

/** 4 MB: more than is on its way before somebody looks. */
const parts = () => Readable.from(Array.from({ length: 4 }, () => Buffer.alloc(MIB)));

test("an upstream that breaks off while it is sent a body is no fault of the client's", async (t) => {
  const url = await origin(t, (request) => request.once("data", () => request.socket.destroy()));
  for (const policies of [{}, { body_limit: "400MiB" }]) {
    const { request } = await gateway(t, passing(url, policies));
    for (const headers of [{ "Content-Length": 4 * MIB }, {}]) {
      const response = await request("/", { method: "POST", body: parts(), headers });
      assert.equal(response.status, 502);
    }
  }
});

test("an upstream that answers before it has the whole body is heard", async (t) => {
  const url = await origin(t, (request, response) => request.once("data", () => response.writeHead(403).end("no")));
  const { request } = await gateway(t, passing(url));
  const response = await request("/", { method: "POST", body: parts() });
  assert.deepEqual([response.status, response.text], [403, "no"]);
});

test("whoever holds up a body is told: the client that sends no more, or the upstream that takes no more", async (t) => {
  const url = await origin(t, (request) => (request.url === "/taken" ? request.resume() : request.pause()));
  const { request } = await gateway(t, passing(url, {}, { timeout: "300ms" }));
  const stalling = new Readable({ read() {} });
  stalling.push("a part");
  const code = async (target, body) => JSON.parse((await request(target, { method: "POST", body })).text).code;
  assert.equal(await code("/taken", stalling), "client_timeout");
  assert.equal(await code("/left", Readable.from(long())), "upstream_timeout");
  // the body is there, the response is not
  assert.equal(await code("/taken", parts()), "upstream_timeout");
});

test("an event passes before the next one is there", async (t) => {
  const confirmed = event();
  const url = await origin(t, async (_, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write("data: first\n\n");
    await confirmed.happened;
    response.end("data: second\n\n");
  });
  const { url: at } = await gateway(t, passing(url));
  const response = await open(at);
  const chunks = response[Symbol.asyncIterator]();
  assert.equal((await chunks.next()).value.toString(), "data: first\n\n");
  confirmed.happen();
  assert.equal((await chunks.next()).value.toString(), "data: second\n\n");
  assert.ok((await chunks.next()).done);
});

/** A Worker that sends back what a WebSocket gets, and closes it when told. */
const ECHO = `export default {
  fetch(request) {
    const [client, server] = Object.values(new WebSocketPair());
    server.binaryType = "arraybuffer";
    server.accept();
    server.addEventListener("message", ({ data }) => (data === "close" ? server.close(4001, "told to") : server.send(data)));
    server.addEventListener("close", ({ code, reason }) => server.close(code, reason));
    const protocol = request.headers.get("Sec-WebSocket-Protocol");
    return new Response(null, { status: 101, webSocket: client, headers: { "Sec-WebSocket-Protocol": protocol } });
  }
}`;

const upstreams = {
  "over the network": async (t) => {
    const echo = new Miniflare({ script: ECHO, modules: true, compatibilityDate: "2026-04-01", unsafeDirectSockets: [{}] });
    t.after(() => echo.dispose());
    return { url: (await echo.unsafeGetDirectURL()).href };
  },
  "by a service binding": () => {
    const workers = [{ name: "echo", script: ECHO, modules: true, compatibilityDate: "2026-04-01" }];
    return { url: "binding://ECHO", serviceBindings: { ECHO: "echo" }, workers };
  },
};

for (const [where, upstream] of Object.entries(upstreams)) {
  test(`a WebSocket to an upstream ${where} passes text, bytes and close codes in both directions`, async (t) => {
    const { url, workers, ...options } = await upstream(t);
    const { url: at } = await gateway(t, passing(url), { ...options, workers });
    const connect = async () => {
      const headers = { Upgrade: "websocket", "CF-Connecting-IP": CLIENT, "Sec-WebSocket-Protocol": "chat" };
      const response = await fetch(at, { headers });
      assert.equal(response.status, 101);
      assert.equal(response.headers.get("Sec-WebSocket-Protocol"), "chat");
      const { webSocket } = response;
      webSocket.accept();
      const next = (type) => new Promise((resolve) => webSocket.addEventListener(type, resolve, { once: true }));
      return { webSocket, next };
    };
    const { webSocket, next } = await connect();
    for (const data of ["text", "", "ü".repeat(70_000), Uint8Array.of(0, 255, 10).buffer]) {
      const echoed = next("message");
      webSocket.send(data);
      assert.deepEqual((await echoed).data, data);
    }
    const closed = next("close");
    webSocket.send("close");
    const { code, reason } = await closed;
    assert.deepEqual({ code, reason }, { code: 4001, reason: "told to" });

    const other = await connect();
    const answered = other.next("close");
    other.webSocket.close(4002, "enough");
    assert.equal((await answered).code, 4002);
  });
}
