// Tokens, verified by WebCrypto.

import assert from "node:assert/strict";
import { gateway, test } from "./support/gateway.js";
import { PUBLIC, bearer, guarded, jwt, key, shared, tampered } from "./support/tokens.js";

/** The status and what the body says: the caller, or why not. */
async function ask(request, token) {
  const { status, text } = await request("/", bearer(token));
  return status === 200 ? text : `${status} ${JSON.parse(text).code}`;
}

for (const algorithm of PUBLIC) {
  test(`${algorithm}: a token passes with the key it was signed by, and not otherwise`, async (t) => {
    const [known, stranger] = [key(algorithm), key(algorithm)];
    const { request, probe } = await gateway(t, guarded(jwt([algorithm], { keys: [known.jwk] })), { probe: true });
    const token = known.token({ sub: "alice" });
    assert.equal(await ask(request, token), "alice");
    assert.equal(await ask(request, token), "alice");
    assert.equal(await ask(request, tampered(token, { sub: "mallory" })), "401 token_signature");
    assert.equal(await ask(request, stranger.token({ sub: "alice" })), "401 token_signature");
    const [start, signature] = [token.slice(0, token.lastIndexOf(".") + 1), token.slice(token.lastIndexOf(".") + 1)];
    for (const other of ["", signature.slice(0, -8), `${signature}AAAA`, "A".repeat(signature.length)]) {
      assert.match(await ask(request, start + other), /^401 token_/);
    }
    assert.equal(await ask(request, known.token({ sub: "bob" })), "bob");
    // the same token a second time, and what has no form, are no work for it
    const { verified } = await probe();
    assert.ok(verified >= 4 && verified <= 8, `verified ${verified} times`);
  });
}

test("one set may hold keys of every algorithm", async (t) => {
  const keys = PUBLIC.map((algorithm) => key(algorithm, algorithm));
  const { request } = await gateway(t, guarded(jwt(PUBLIC, { keys: keys.map(({ jwk }) => jwk) })));
  const tokens = keys.map(({ token, jwk }) => token({ sub: jwk.kid }));
  const callers = await Promise.all([...tokens, ...tokens].map((token) => ask(request, token)));
  assert.deepEqual(callers, [...PUBLIC, ...PUBLIC]);
});

test("HS256: the secret is a binding", async (t) => {
  const secret = "a secret that is long enough for SHA-256";
  const identity = { jwt: { algorithms: ["HS256"], issuer: "issuer", audience: "test", secret: "${secret.TOKENS}" } };
  const { request, probe } = await gateway(t, guarded(identity), { probe: true, bindings: { TOKENS: secret } });
  const token = shared(secret, { sub: "alice" });
  assert.equal(await ask(request, token), "alice");
  assert.equal(await ask(request, tampered(token, { sub: "mallory" })), "401 token_signature");
  assert.equal(await ask(request, shared(`${secret}.`, { sub: "alice" })), "401 token_signature");
  assert.equal((await probe()).verified, 0);
});

test("a secret that is not bound is the gateway's fault", async (t) => {
  const identity = { jwt: { algorithms: ["HS256"], issuer: "issuer", audience: "test", secret: "${secret.TOKENS}" } };
  const { request, logged } = await gateway(t, guarded(identity));
  assert.equal(await ask(request, shared("any", {})), "500 secret_missing");
  await logged("TOKENS");
});

test("a secret goes upstream by a template", async (t) => {
  const config = { routes: [{ name: "a", match: { path: "/" }, respond: { headers: { "X-Key": "${secret.KEY}" } } }] };
  const { request } = await gateway(t, config, { bindings: { KEY: "from a binding" } });
  assert.equal((await request("/")).headers["x-key"], "from a binding");
});
