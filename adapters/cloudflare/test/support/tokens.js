// Keys, and tokens that they sign.

import { constants, createHmac, generateKeyPairSync, sign } from "node:crypto";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const dsaEncoding = "ieee-p1363";

/** How each algorithm makes its key and its signature. */
const ALGORITHMS = {
  RS256: { pair: ["rsa", { modulusLength: 2048 }], sign: (input, key) => sign("sha256", input, key) },
  PS256: { pair: ["rsa", { modulusLength: 2048 }], sign: (input, key) => sign("sha256", input, { key, ...padding }) },
  ES256: { pair: ["ec", { namedCurve: "P-256" }], sign: (input, key) => sign("sha256", input, { key, dsaEncoding }) },
  ES384: { pair: ["ec", { namedCurve: "P-384" }], sign: (input, key) => sign("sha384", input, { key, dsaEncoding }) },
  EdDSA: { pair: ["ed25519", {}], sign: (input, key) => sign(null, input, key) },
};

export const PUBLIC = Object.keys(ALGORITHMS);

/** A key of an issuer: `jwk` is its public half, `token` signs claims. */
export function key(algorithm, kid = "one") {
  const { pair, sign } = ALGORITHMS[algorithm];
  const { publicKey, privateKey } = generateKeyPairSync(...pair);
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: algorithm, use: "sig" };
  return { jwk, token: (claims) => token({ alg: algorithm, kid }, claims, (input) => sign(input, privateKey)) };
}

/** A token for a shared secret. */
export function shared(secret, claims) {
  return token({ alg: "HS256" }, claims, (input) => createHmac("sha256", secret).update(input).digest());
}

function token(header, claims, sign) {
  const exp = Math.floor(Date.now() / 1000) + 7 * 86_400;
  const input = `${encode(header)}.${encode({ exp, iss: "issuer", aud: "test", ...claims })}`;
  return `${input}.${sign(Buffer.from(input)).toString("base64url")}`;
}

/** The same signature under other claims. */
export function tampered(token, claims) {
  const [header, payload, signature] = token.split(".");
  const changed = { ...JSON.parse(Buffer.from(payload, "base64url")), ...claims };
  return `${header}.${encode(changed)}.${signature}`;
}

/** A configuration that says who the caller is, by the identity given. */
export function guarded(identity) {
  const respond = { body: "${consumer}" };
  return {
    identities: { callers: identity },
    routes: [{ name: "guarded", match: { path: "/" }, respond, policies: { auth: { any_of: ["callers"] } } }],
  };
}

/** A `jwt` identity with these keys. */
export const jwt = (algorithms, jwks) => ({ jwt: { algorithms, issuer: "issuer", audience: "test", jwks } });

export const bearer = (token) => ({ headers: { Authorization: `Bearer ${token}` } });
