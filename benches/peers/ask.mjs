// One request at a time, to see what a gateway does with it.

import http from "node:http";
import https from "node:https";

/** Sends a GET on a connection of its own; gives status, header fields and body, and over TLS what was agreed. */
export function ask(url, headers = {}) {
  const { request } = url.startsWith("https:") ? https : http;
  return new Promise((done, fail) => {
    const sent = request(url, { headers, agent: false, rejectUnauthorized: false, timeout: 5_000 }, (response) => {
      const parts = [];
      const cipher = response.socket.getCipher?.().standardName;
      response.on("data", (part) => parts.push(part)).once("error", fail);
      response.once("end", () => done({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts), cipher }));
    });
    sent.once("timeout", () => sent.destroy(new Error(`no answer from ${url}`)));
    sent.once("error", fail).end();
  });
}
