// Connections that are held and not used.

import { connect } from "node:net";
import { BODY } from "../peers/upstream.mjs";

/** How many are opened at once: no queue of a listening socket overflows. */
const ONCE = 200;

/** Opens `count` connections, each of which makes one request for `path`. */
export async function hold({ url }, path, count) {
  const sockets = [];
  let closed = 0;
  const one = () =>
    new Promise((done, fail) => {
      const socket = connect({ host: "127.0.0.1", port: new URL(url).port });
      let heard = "";
      socket.setEncoding("latin1").on("data", (part) => (heard += part).endsWith(BODY) && done());
      socket.once("error", fail).once("close", () => (closed++, fail(new Error(`a connection was closed: ${heard}`))));
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`);
      sockets.push(socket);
    });
  while (sockets.length < count) await Promise.all(Array.from({ length: Math.min(ONCE, count - sockets.length) }, one));
  /** Closes them; all must have been open until now. */
  const end = () => {
    if (closed) throw new Error(`${closed} of ${count} connections were closed by the gateway`);
    for (const socket of sockets) socket.destroy();
  };
  return { end };
}
