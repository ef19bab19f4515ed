// Tokens that nobody has seen: one for each request, so that whoever remembers those that it has verified has to verify each.

import { corner, token } from "./peers/place.mjs";
import { claimed, issuer } from "./support.mjs";

/** Requests a second that there are tokens for: more than Portico verifies on one core. */
const RATE = 15_000;
const { write } = corner("fresh");
const { jwk, token: sign } = issuer("fresh");

/** The key of the other tokens (peers/place.mjs), and the one of these. */
export const keys = { keys: [...token.jwks.keys, jwk] };

let made = 0;
/** A token of `sub` that differs from all others. */
export const another = (sub = "caller-0") => sign({ ...claimed(sub), jti: `${made++}` });

/** As many requests for `path` as are asked in that time, for `flood`. */
export function fresh(path, seconds, rate = RATE) {
  const most = Math.ceil(seconds * rate);
  return { requests: write("requests", Array.from({ length: most }, () => `${path} ${another()}\n`).join("")), most };
}
