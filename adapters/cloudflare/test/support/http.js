// Both ends of HTTP, as it is on the wire: nothing is decoded, redirected or kept.

import { createServer, request as send } from "node:http";
import { once } from "node:events";

/** Whose connection it is, as Cloudflare's edge says it. */
export const CLIENT = "192.0.2.1";

/**
 * Sends a request and gives the response with its whole body: `status`, `headers` (names in lower case), `body` and `text`.
 * `cf` is what the edge knows; `body` may be a stream.
 */
export async function request(url, options) {
  const response = await open(url, options);
  const chunks = [];
  for await (const chunk of response) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  return { status: response.statusCode, headers: response.headers, body, text: body.toString() };
}

/** Sends a request and gives the response as soon as its head is there. */
export async function open(url, { method = "GET", headers = {}, body, cf } = {}) {
  const edge = { "CF-Connecting-IP": CLIENT };
  if (cf !== undefined) edge["MF-CF-Blob"] = JSON.stringify(cf);
  const sent = send(url, { method, headers: { ...edge, ...headers }, agent: false });
  // a request may be answered, and its connection closed, before all of it was sent
  sent.on("error", () => {});
  if (body?.pipe === undefined) sent.end(body);
  else body.pipe(sent);
  const [response] = await once(sent, "response");
  return response;
}

/** Sends a request; gives what makes its client vanish. */
export function abandoned(url, { headers = {} } = {}) {
  const sent = send(url, { headers: { "CF-Connecting-IP": CLIENT, ...headers }, agent: false });
  sent.on("error", () => {});
  sent.end();
  return () => sent.socket.resetAndDestroy();
}

/** Starts an upstream that ends with the test; gives its URL. */
export async function origin(t, handler) {
  const server = createServer(handler).listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${server.address().port}`;
}

/** A promise and what resolves it. */
export function event() {
  let happen;
  const happened = new Promise((resolve) => (happen = resolve));
  return { happen, happened };
}

/** A configuration that sends everything to `url`, with these policies. */
export function passing(url, policies = {}, upstream = {}) {
  return {
    upstreams: { origin: { targets: [{ url }], ...upstream } },
    routes: [{ name: "all", match: { path: "/{*rest}" }, upstream: "origin", policies }],
  };
}
