// The origin of http-cache-tests: what its server/server.mjs serves, on loopback alone, and on a port that the system chooses.
//   node origin.mjs        its first line is the port

import { createServer } from "node:http";
import config from "http-cache-tests/server/handle-config.mjs";
import state from "http-cache-tests/server/handle-state.mjs";
import test from "http-cache-tests/server/handle-test.mjs";

const handlers = { config, state, test };

const server = createServer((request, response) => {
  const [, name, ...rest] = new URL(request.url, "http://origin").pathname.split("/");
  const handle = handlers[name];
  if (handle) handle(rest, request, response);
  else response.writeHead(404).end();
});
server.listen(0, "127.0.0.1", () => console.log(server.address().port));
