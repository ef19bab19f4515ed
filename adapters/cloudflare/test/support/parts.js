// A Worker that is made of the gateway's own parts in JavaScript, without WebAssembly: bodies twice, and the data centre's cache.

import { collect, tee } from "./bodies.js";
import { forget, look_up, put } from "./cache.js";

/** What second halves came to, in their order: how many bytes, or the name of what failed. */
const seen = [];

export default {
  async fetch(request, env, context) {
    const { pathname, searchParams } = new URL(request.url);
    const [limit, from] = [Number(searchParams.get("limit")), searchParams.get("from")];
    const [host, key] = [searchParams.get("host"), searchParams.get("key")];
    switch (pathname) {
      case "/tee": {
        const response = await fetch(from);
        const length = response.headers.get("Content-Length");
        const [first, second] = tee(response.body, limit, length === null ? undefined : Number(length));
        const told = (all) => seen.push(all.byteLength ?? all);
        if (!searchParams.has("drop")) context.waitUntil(collect(second, Number(searchParams.get("take") ?? limit)).then(told));
        return new Response(first, response);
      }
      case "/seen":
        return Response.json(seen);
      case "/put":
        return new Response(await put(host, key, await request.bytes(), limit));
      case "/forget":
        return new Response(await forget(host, key));
      default: {
        const found = await look_up(host, key, limit);
        if (found === undefined) return new Response(null, { status: 404 });
        return typeof found === "string" ? new Response(found, { status: 500 }) : new Response(found);
      }
    }
  },
};
