// What the benchmarks of the platforms share.

import { createPrivateKey, generateKeyPairSync, sign } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A folder, and the processes that end with this one, as the folder does. */
export function workplace() {
  const folder = mkdtempSync(join(tmpdir(), "portico-bench-"));
  const children = new Set();
  process.on("exit", () => {
    for (const child of children) child.kill("SIGKILL");
    rmSync(folder, { recursive: true, force: true });
  });
  return { folder, children };
}

/** A file that has to be there; whoever runs the script is told where that is explained. */
export function needed(path) {
  if (existsSync(path)) return path;
  console.error(`there is no ${path}: ${process.argv[1]} says at its top what to build`);
  process.exit(2);
}

/** A port that is free. */
export async function port() {
  const server = createServer();
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** A new ES256 key, named `kid`: as a JWK, as PEM, and what signs claims with it. */
export function issuer(kid = "k") {
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const jwk = { ...publicKey.export({ format: "jwk" }), kid, alg: "ES256", use: "sig" };
  const key = createPrivateKey(privateKey.export({ format: "pem", type: "pkcs8" }));
  const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const token = (claims) => {
    const input = `${encode({ alg: "ES256", kid, typ: "JWT" })}.${encode(claims)}`;
    return `${input}.${sign("sha256", Buffer.from(input), { key, dsaEncoding: "ieee-p1363" }).toString("base64url")}`;
  };
  return { jwk, pem: publicKey.export({ format: "pem", type: "spki" }), token };
}

/** Claims that are good for an hour. */
export function claimed(sub) {
  const now = Math.floor(Date.now() / 1000);
  return { iss: "https://id.example/", aud: "shop", sub, iat: now, exp: now + 3600 };
}

/** A new ES256 key as a JWK, and a token that it signed, good for an hour. */
export function signed() {
  const { jwk, token } = issuer();
  const claims = claimed("alice");
  return { jwk, claims, token: token(claims) };
}
