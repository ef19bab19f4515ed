// What the runtime takes for what any gateway must ask of it, with nothing decided: both heads are read, the fields of a proxy
// are set, the wait for the upstream is bounded. The difference to plain JavaScript is the runtime's, to Portico it is Portico's.
const FIELDS = [
  ["forwarded", 'for="[::]";host="127.0.0.1:8080";proto=http'],
  ["x-forwarded-for", "::"],
  ["x-forwarded-proto", "http"],
  ["x-forwarded-host", "127.0.0.1:8080"],
  ["via", "1.1 seam"],
  ["x-request-id", "f0ce4ceb-0030-4f5a-82b6-942d7a1d269e"],
  ["traceparent", "00-f0ce4ceb00304f5a42b6942d7a1d269e-c8d97a065b1776c5-00"],
];

let read = 0;

/** Everything that a decision could need. */
function head(start, headers) {
  let text = start;
  headers.forEach((value, name) => {
    text += `\n${name}\n${value}`;
  });
  read += text.length;
}

export default {
  async fetch(request, { ORIGIN }) {
    const { method, url, headers, cf } = request;
    head(`${method} ${url} ${cf?.httpProtocol ?? ""}`, headers);
    const outgoing = new Headers(headers);
    outgoing.delete("host");
    for (const [name, value] of FIELDS) outgoing.set(name, value);
    const { pathname, search } = new URL(url);
    const timer = setTimeout(() => {}, 30_000);
    const response = await fetch(ORIGIN + pathname + search, {
      method, headers: outgoing, redirect: "manual", cache: "no-store", encodeResponseBody: "manual",
    });
    clearTimeout(timer);
    head(String(response.status), response.headers);
    const reply = new Response(response.body, { status: response.status, headers: response.headers, encodeBody: "manual" });
    reply.headers.set("x-request-id", FIELDS[5][1]);
    reply.headers.delete("connection");
    return reply;
  },
};
