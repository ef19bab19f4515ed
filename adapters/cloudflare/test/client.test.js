// What Cloudflare knows of a client: `request.cf` and `CF-Connecting-IP`, in templates and policies.

import assert from "node:assert/strict";
import { gateway, test } from "./support/gateway.js";
import { origin, passing } from "./support/http.js";

const CERTIFICATE = {
  certPresented: "1",
  certVerified: "SUCCESS",
  certRevoked: "0",
  certSubjectDNRFC2253: "CN=alice,O=Example\\, Inc.",
  certIssuerDNRFC2253: "CN=Example CA",
  certSerial: "0A1B",
  certFingerprintSHA256: "ab".repeat(32),
};

const NONE = { certPresented: "0", certVerified: "NONE" };

/** What the edge knows of somebody in Germany. */
const edge = (tlsClientAuth = NONE, more) => ({ country: "DE", asn: 64496, httpProtocol: "HTTP/2", tlsClientAuth, ...more });

const NAMES = ["ip", "client.country", "client.asn"].concat(
  ["subject", "issuer", "serial", "sha256"].map((name) => `client.certificate.${name}`),
);

/** The field in which each name goes upstream. */
const FIELDS = NAMES.map((name) => `x-${name.replaceAll(".", "-")}`);

/** An upstream that gets all that is known of the client, and gives it back. */
async function telling(t) {
  const url = await origin(t, ({ headers }, response) => {
    response.end(JSON.stringify(FIELDS.map((field) => headers[field] ?? null)));
  });
  const set = Object.fromEntries(NAMES.map((name, index) => [FIELDS[index], `\${${name}}`]));
  const { request } = await gateway(t, passing(url, { request: { headers: { set } } }));
  return async (options) => JSON.parse((await request("/", options)).text);
}

test("templates say what is known of a client", async (t) => {
  const ask = await telling(t);
  const [, , , subject, issuer, serial, sha256] = Object.values(CERTIFICATE);
  assert.deepEqual(await ask({ cf: edge(CERTIFICATE) }), ["192.0.2.1", "DE", "64496", subject, issuer, serial, sha256]);
  assert.deepEqual(await ask({ cf: edge() }), ["192.0.2.1", "DE", "64496", null, null, null, null]);
});

test("what is not known has no value, whatever the client says", async (t) => {
  const ask = await telling(t);
  const nothing = ["192.0.2.1", null, null, null, null, null, null];
  const headers = Object.fromEntries(FIELDS.map((field) => [field, "forged"]));
  assert.deepEqual(await ask({ cf: {}, headers }), nothing);
  assert.deepEqual(await ask({ headers: { ...headers, "CF-IPCountry": "FR" } }), nothing);
  // Tor, and an address of which nothing is known
  for (const country of ["T1", "XX"]) assert.equal((await ask({ cf: edge(NONE, { country }) }))[1], null);
});

test("a certificate counts only if the platform verified it, and it is not revoked", async (t) => {
  const ask = await telling(t);
  for (const certVerified of ["FAILED:certificate has expired", "FAILED:self signed certificate", "NONE", undefined]) {
    assert.equal((await ask({ cf: edge({ ...CERTIFICATE, certVerified }) }))[6], null);
  }
  // which is verified all the same
  assert.equal((await ask({ cf: edge({ ...CERTIFICATE, certRevoked: "1" }) }))[6], null);
});

test("the address is the connection's, of either family", async (t) => {
  const ask = await telling(t);
  for (const address of ["203.0.113.9", "2001:db8::7"]) {
    assert.equal((await ask({ headers: { "CF-Connecting-IP": address } }))[0], address);
  }
});

test("policies decide by country and autonomous system", async (t) => {
  const url = await origin(t, (_, response) => response.end());
  const { request } = await gateway(t, passing(url, { ip: { allow: ["country:DE", "asn:64511"], deny: ["asn:64497"] } }));
  const status = async (cf) => (await request("/", { cf })).status;
  assert.equal(await status(edge()), 200);
  assert.equal(await status(edge(NONE, { country: "FR", asn: 64511 })), 200);
  assert.equal(await status(edge(NONE, { country: "FR" })), 403);
  assert.equal(await status(edge(NONE, { asn: 64497 })), 403);
  assert.equal(await status({}), 403);
});

test("a certificate is an identity", async (t) => {
  const url = await origin(t, (_, response) => response.end());
  const response = { headers: { set: { "X-Consumer": "${consumer}" } } };
  const config = passing(url, { auth: { any_of: ["partners"] }, response });
  const identities = { partners: { client_cert: { certs: { alice: { sha256: CERTIFICATE.certFingerprintSHA256 } } } } };
  const { request } = await gateway(t, { ...config, identities });
  const ask = (certificate) => request("/", { cf: edge(certificate) });
  assert.equal((await ask(CERTIFICATE)).headers["x-consumer"], "alice");
  assert.equal((await ask({ ...CERTIFICATE, certFingerprintSHA256: "cd".repeat(32) })).status, 401);
  assert.equal((await ask({ ...CERTIFICATE, certVerified: "FAILED:unable to get issuer certificate" })).status, 401);
  assert.equal((await ask()).status, 401);
});
