// What the gateways share while they are measured: a folder, keys, tokens, a certificate.

import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { claimed, issuer, workplace } from "../support.mjs";

export const root = resolve(import.meta.dirname ?? new URL(".", import.meta.url).pathname, "../..");

/** How many callers have a token each. */
export const CALLERS = 2_000;

const { folder, children } = workplace();
export { folder, children };
// what was started ends with this process, also when that is told to end
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** A folder of its own for `name`, and what writes files there. */
export function corner(name) {
  const own = join(folder, name);
  mkdirSync(own);
  const write = (file, text) => {
    writeFileSync(join(own, file), text);
    return join(own, file);
  };
  return { folder: own, write };
}

const { write, folder: shared } = corner("shared");
const { jwk, pem, token: sign } = issuer();

/** How tokens are verified. */
export const token = { issuer: "https://id.example/", audience: "shop", jwks: { keys: [jwk] }, pem: write("key.pem", pem) };

/** The run must be over within a day. */
const claims = (sub) => ({ ...claimed(sub), exp: claimed(sub).exp + 86_400 });

/** Tokens: those of all callers, and such as must be refused. */
export const tokens = {
  callers: Array.from({ length: CALLERS }, (_, index) => sign(claims(`caller-${index}`))),
  forged: issuer().token(claims("caller-0")),
  refused: {
    "an expired one": sign({ ...claims("caller-0"), exp: claimed("").iat - 60 }),
    "one of another issuer": sign({ ...claims("caller-0"), iss: "https://other.example/" }),
    "one for somebody else": sign({ ...claims("caller-0"), aud: "other" }),
  },
};

/** A certificate for 127.0.0.1 that signs itself, and its key. */
export const tls = { certificate: join(shared, "certificate.pem"), key: join(shared, "certificate-key.pem"), both: join(shared, "both.pem") };
const made = ["-keyout", tls.key, "-out", tls.certificate, "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"];
execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", ...made], { stdio: "ignore" });
write("both.pem", readFileSync(tls.certificate) + readFileSync(tls.key));
