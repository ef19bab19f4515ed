// A KV namespace: what a Worker's binding asks of the service behind it, over HTTP, with KV's bounds. It holds at first
// what its own binding VALUES says.

const values = new Map();
let filled = false;

/** An answer of KV's own: what it refuses, a Worker sees as an exception with this text. */
const answer = (status, text = null, headers = {}) => new Response(text, { status, headers });

export default {
  async fetch(request, { VALUES }) {
    if (!filled) for (const [key, value] of Object.entries(VALUES)) values.set(key, { value });
    filled = true;
    const url = new URL(request.url);
    const key = decodeURIComponent(url.pathname.slice(1));
    if (key === "" || new TextEncoder().encode(key).length > 512) return answer(400, "a key has 1 to 512 bytes");
    if (request.method === "PUT") {
      const keep = Number(url.searchParams.get("expiration_ttl") ?? 60);
      if (!(keep >= 60)) return answer(400, "a value is kept for 60 seconds at least");
      values.set(key, { value: await request.arrayBuffer() });
      return answer(200);
    }
    if (request.method === "DELETE") return answer(values.delete(key) ? 200 : 404);
    const found = values.get(key);
    return found === undefined ? answer(404) : answer(200, found.value);
  },
};
