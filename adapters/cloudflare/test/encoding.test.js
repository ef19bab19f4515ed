// Bodies and heads pass as they are, to the byte: nothing is decoded, nothing is encoded anew.

import assert from "node:assert/strict";
import { brotliCompressSync, gzipSync } from "node:zlib";
import { gateway, test } from "./support/gateway.js";
import { origin, passing } from "./support/http.js";

const TEXT = JSON.stringify({ id: 7, secret: "s3", more: "text that compresses well ".repeat(200) });

const ENCODED = {
  gzip: gzipSync(TEXT),
  br: brotliCompressSync(TEXT),
  // one frame that says "hello", as Node has no zstd
  zstd: Buffer.from("28b52ffd2005290000" + Buffer.from("hello").toString("hex"), "hex"),
  deflate: Buffer.from("this is not what its header says"),
};

/** An upstream that answers with what is asked for by path, however the request is; and what it got. */
async function encoding(t) {
  const got = [];
  const url = await origin(t, async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    got.push({ headers: request.headers, body: Buffer.concat(chunks) });
    const [, coding, length] = request.url.split("/");
    const body = ENCODED[coding] ?? Buffer.from(TEXT);
    const headers = { "Content-Type": "application/json" };
    if (coding in ENCODED) headers["Content-Encoding"] = coding;
    if (length !== "chunked") headers["Content-Length"] = body.length;
    response.writeHead(200, headers).end(body);
  });
  return { url, got };
}

for (const [coding, bytes] of Object.entries(ENCODED)) {
  test(`a response in ${coding} passes byte for byte, whatever the client accepts`, async (t) => {
    const { url, got } = await encoding(t);
    const { request } = await gateway(t, passing(url));
    for (const accept of [undefined, "gzip, br, zstd", "br", "identity", "gzip;q=0, *;q=0"]) {
      for (const length of ["sized", "chunked"]) {
        const headers = accept === undefined ? {} : { "Accept-Encoding": accept };
        const response = await request(`/${coding}/${length}`, { headers });
        assert.equal(response.headers["content-encoding"], coding);
        assert.equal(response.headers["content-length"], length === "sized" ? `${bytes.length}` : undefined);
        assert.deepEqual(response.body, bytes);
        if (accept !== undefined) assert.equal(got.pop().headers["accept-encoding"], accept);
      }
    }
  });
}

test("a response that is not encoded passes byte for byte, whatever the client accepts", async (t) => {
  const { url } = await encoding(t);
  const { request } = await gateway(t, passing(url));
  for (const headers of [{}, { "Accept-Encoding": "gzip, br" }]) {
    const response = await request("/plain/sized", { headers });
    assert.equal(response.headers["content-encoding"], undefined);
    assert.equal(response.text, TEXT);
  }
});

test("a response of the gateway's own is not encoded", async (t) => {
  const config = { routes: [{ name: "a", match: { path: "/" }, respond: { body: TEXT } }] };
  const { request } = await gateway(t, config);
  const response = await request("/", { headers: { "Accept-Encoding": "gzip" } });
  assert.equal(response.headers["content-encoding"], undefined);
  assert.equal(response.text, TEXT);
});

test("the body of a request passes byte for byte with its encoding", async (t) => {
  const { url, got } = await encoding(t);
  const { request } = await gateway(t, passing(url));
  for (const [coding, body] of Object.entries(ENCODED)) {
    const headers = { "Content-Encoding": coding, "Content-Length": body.length };
    await request("/plain/sized", { method: "POST", body, headers });
    const arrived = got.pop();
    assert.equal(arrived.headers["content-encoding"], coding);
    assert.equal(arrived.headers["content-length"], `${body.length}`);
    assert.deepEqual(arrived.body, body);
  }
});

test("members are removed from JSON that is asked for without encoding", async (t) => {
  const { url, got } = await encoding(t);
  const { request } = await gateway(t, passing(url, { response: { json: { remove: ["secret"] } } }));
  const response = await request("/plain/sized", { headers: { "Accept-Encoding": "gzip" } });
  assert.equal(response.text, TEXT.replace('"secret":"s3",', ""));
  assert.equal(response.headers["content-length"], `${response.body.length}`);
  assert.equal(got.pop().headers["accept-encoding"], "identity");
});

for (const coding of Object.keys(ENCODED)) {
  test(`JSON from which members are to be removed is refused when it comes in ${coding}`, async (t) => {
    const { url } = await encoding(t);
    const { request } = await gateway(t, passing(url, { response: { json: { remove: ["secret"] } } }));
    const response = await request(`/${coding}/sized`);
    assert.equal(response.status, 502);
    assert.equal(JSON.parse(response.text).code, "response_unreadable");
    assert.equal(response.headers["content-encoding"], undefined);
  });
}

test("the response to HEAD says the length that GET would have", async (t) => {
  const { url } = await encoding(t);
  const { request } = await gateway(t, passing(url));
  for (const coding of ["plain", "gzip"]) {
    const [got, head] = [await request(`/${coding}/sized`), await request(`/${coding}/sized`, { method: "HEAD" })];
    assert.equal(head.headers["content-length"], got.headers["content-length"]);
    assert.equal(head.headers["content-encoding"], got.headers["content-encoding"]);
    assert.equal(head.body.length, 0);
  }
});

test("responses without a body stay so, and keep their heads", async (t) => {
  const url = await origin(t, ({ url, headers }, response) => {
    response.writeHead(Number(url.slice(1)), { ETag: '"7"', "X-Match": headers["if-none-match"] ?? "none" }).end();
  });
  const { request } = await gateway(t, passing(url));
  for (const status of [204, 205, 304]) {
    const response = await request(`/${status}`, { headers: { "If-None-Match": '"7"' } });
    assert.equal(response.status, status);
    assert.equal(response.headers.etag, '"7"');
    assert.equal(response.headers["x-match"], '"7"');
    assert.equal(response.body.length, 0);
  }
});

test("every Set-Cookie is a line of its own", async (t) => {
  const cookies = ["a=1; Expires=Wed, 21 Oct 2026 07:28:00 GMT", "b=2; HttpOnly", "c=3"];
  const url = await origin(t, (_, response) => response.writeHead(200, { "Set-Cookie": cookies }).end());
  const { request } = await gateway(t, passing(url, { response: { headers: { add: { "Set-Cookie": "d=4" } } } }));
  assert.deepEqual((await request("/")).headers["set-cookie"], [...cookies, "d=4"]);
});

test("fields that no policy changes go upstream as they came, bytes and lines", async (t) => {
  let arrived;
  const url = await origin(t, ({ rawHeaders }, response) => {
    arrived = rawHeaders;
    response.writeHead(200, { "X-Back": "caf\u00e9" }).end();
  });
  const { request } = await gateway(t, passing(url, { request: { headers: { set: { "X-Set": "new" } } } }));
  // Node reads and writes fields as Latin-1: this byte alone is not UTF-8
  const response = await request("/", { headers: { "X-Name": "caf\u00e9", "X-Lines": ["a", "b"], "X-Set": "old" } });
  assert.equal(response.headers["x-back"], "caf\u00e9");
  const lines = (wanted) => arrived.filter((_, index) => index % 2 === 1 && arrived[index - 1].toLowerCase() === wanted);
  assert.deepEqual(lines("x-name"), ["caf\u00e9"]);
  assert.deepEqual(lines("x-lines"), ["a", "b"]);
  assert.deepEqual(lines("x-set"), ["new"]);
});
