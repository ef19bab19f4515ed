// The cache of the data centre: bytes of ours under keys of ours. What it knows of HTTP is not asked, but for how long it keeps them.

import { collect } from "./bodies.js";

/** Apart from what fetch() and other Workers of the zone keep. */
const NAME = "portico";

/**
 * Where `key` is. Of `host` nothing can make two keys alike: it is not more than a host. It is the Worker's own, because
 * the runtime looks other names up, for nothing.
 */
function place(host, key) {
  const url = new URL(`https://cache.portico.invalid/${key}`);
  url.host = host;
  return url.href;
}

/** The bytes under `key`, nothing if there are none, or a text that says what failed; at most `limit` bytes. */
export async function look_up(host, key, limit) {
  try {
    const cache = await caches.open(NAME);
    const found = await cache.match(place(host, key));
    return found === undefined ? undefined : await collect(found.body, limit);
  } catch (error) {
    return `${error}`;
  }
}

/** Puts `bytes` under `key`, for so many seconds. Gives a text that says what failed, if something did. */
export async function put(host, key, bytes, seconds) {
  const headers = { "Content-Type": "application/octet-stream", "Cache-Control": `max-age=${seconds}` };
  // a view of WebAssembly's memory, which is its own again when this waits
  const response = new Response(bytes.slice(), { headers });
  try {
    const cache = await caches.open(NAME);
    await cache.put(place(host, key), response);
  } catch (error) {
    return `${error}`;
  }
}

/** Removes what is under `key`. Gives a text that says what failed, if something did. */
export async function forget(host, key) {
  try {
    const cache = await caches.open(NAME);
    await cache.delete(place(host, key));
  } catch (error) {
    return `${error}`;
  }
}
