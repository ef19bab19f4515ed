// The cache of a data centre: what the runtime makes of `caches`, which is HTTP. What is put comes as a whole response in its own
// right, as text; all that is asked of it here is for how many seconds it is kept.

const kept = new Map();

/** The blank line after a head, as bytes. */
const END = [13, 10, 13, 10];

/** A response that came as bytes: its body, and until when it is kept, in milliseconds since the epoch. */
function parse(bytes) {
  const end = bytes.findIndex((_, at) => END.every((byte, index) => bytes[at + index] === byte));
  const head = new TextDecoder().decode(bytes.subarray(0, end));
  const seconds = Number(head.match(/^cache-control: max-age=(\d+)\r?$/im)?.[1] ?? 0);
  return { body: bytes.slice(end + END.length), until: Date.now() + seconds * 1000 };
}

export default {
  async fetch(request) {
    const key = `${request.headers.get("CF-Cache-Namespace")} ${request.url}`;
    if (request.method === "PUT") {
      kept.set(key, parse(await request.bytes()));
      return new Response(null, { status: 204 });
    }
    const found = kept.get(key);
    const hit = found !== undefined && Date.now() < found.until;
    return new Response(hit ? found.body : null, { status: hit ? 200 : 504, headers: { "CF-Cache-Status": hit ? "HIT" : "MISS" } });
  },
};
