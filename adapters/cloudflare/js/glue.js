// What Rust asks of the runtime, and how its requests go on when they have it.
//
// Heads of messages cross as one text each, because every crossing costs: lines of a name and of its value in turn (no field
// value has a line break in it). Bodies cross as the runtime's own streams.

import * as portico from "portico";

/** Requests that wait, by their ids: what takes their responses. In the order in which they came. */
export const waiting = new Map();

/** Requests that wait to be woken by something else than their own fetch: what wakes them. */
const bells = new Map();

/** Goes on with the request `id`; ends it if that gave its response. */
function go_on(id, response) {
  if (response === undefined) return;
  waiting.get(id)?.(response);
  waiting.delete(id);
}

/**
 * Lets `ring` wake the request `id`. Its promise is made in the context of that request, so the runtime also goes on with
 * it there, whoever rings: the runtime refuses I/O in another request's context.
 */
export function listen(id) {
  new Promise((ring) => bells.set(id, ring)).then(() => go_on(id, portico.poll(id)));
}

/** Wakes the request `id`. */
export function ring(id) {
  bells.get(id)?.();
  bells.delete(id);
}

/**
 * The response that goes to the client: with the fields of `base`, if there are any, but for what `changes` says: for each
 * field its name, a sign and a value. "-": it is removed; "=": it has this value and no other; "+": this value is added.
 * The body is encoded already, as the fields say, or not at all.
 */
export function respond(status, base, changes, body, webSocket) {
  try {
    const response = new Response(body, { status, headers: base, encodeBody: "manual", webSocket });
    const { headers } = response;
    const lines = changes === "" ? [] : changes.split("\n");
    for (let at = 0; at < lines.length; at += 3) {
      const sign = lines[at + 1];
      if (sign === "=") headers.set(lines[at], lines[at + 2]);
      else if (sign === "+") headers.append(lines[at], lines[at + 2]);
      else headers.delete(lines[at]);
    }
    return response;
  } catch (error) {
    // an upstream's, which the runtime takes but does not give: a status over 599
    console.error(`the runtime refused a response: ${error}`);
    return new Response(null, { status: 502 });
  }
}

/** A body that grew over its bound. */
const TOO_LARGE = new RangeError("the body is too large");

/** `stream`, which fails once more than `limit` bytes came through. */
export function bounded(stream, limit) {
  let length = 0;
  const count = {
    transform(chunk, controller) {
      length += chunk.byteLength;
      if (length > limit) throw TOO_LARGE;
      controller.enqueue(chunk);
    },
  };
  return stream.pipeThrough(new TransformStream(count));
}

/**
 * Sends a request upstream, by `service` if there is one. `head` is its URL, its method, and its fields, no name twice. With a
 * request's `id` it goes on with that request by `resume`; without (0) it returns a promise of what `resume` takes.
 */
export function send(id, turn, service, head, body, length, timeout) {
  const lines = head.split("\n");
  const headers = {};
  for (let at = 2; at + 1 < lines.length; at += 2) headers[lines[at]] = lines[at + 1];
  const init = { method: lines[1], headers, redirect: "manual", encodeResponseBody: "manual" };
  const attempt = new Attempt(service, lines[0], init, timeout);
  if (id === 0) {
    return new Promise((resolve) => attempt.start(body, length, (...reply) => resolve(reply)));
  }
  attempt.start(body, length, (status, head, headers, body, webSocket) => {
    go_on(id, portico.resume(id, turn, status, head, headers, body, webSocket));
  });
}

/** Bodies that are known to be no longer than this count as sent at once. */
const SHORT = 64 * 1024;

/** One request upstream, and the wait for the head of its response: `timeout` milliseconds. */
class Attempt {
  #service;
  #url;
  #init;
  #timeout;
  #timer;
  #done;

  constructor(service, url, init, timeout) {
    this.#service = service;
    this.#url = url;
    this.#init = init;
    this.#timeout = timeout;
  }

  /** Sends it, and calls `done` with the response, or with 0 and the name of what failed. */
  start(body, length, done) {
    this.#done = done;
    this.#wait();
    if (body instanceof ReadableStream && !(length <= SHORT)) this.#stream(body, length);
    else if (body !== undefined) this.#init.body = body;
    const sent = this.#service === undefined ? fetch(this.#url, this.#init) : this.#service.fetch(this.#url, this.#init);
    sent.then(
      (response) => {
        const { headers } = response;
        let head = "";
        headers.forEach((value, name) => {
          head += head === "" ? `${name}\n${value}` : `\n${name}\n${value}`;
        });
        this.#end(response.status, head, headers, response.body ?? undefined, response.webSocket);
      },
      (error) => {
        console.warn(`upstream: ${error}`);
        // a TypeError is a method or a body that fetch() does not take
        this.#end(0, error instanceof TypeError ? "unsendable" : "broken");
      },
    );
  }

  /** The first end counts. What comes after a timeout is dropped with the context of the request. */
  #end(...reply) {
    clearTimeout(this.#timer);
    const done = this.#done;
    this.#done = undefined;
    done?.(...reply);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(0, "timeout"), this.#timeout);
  }

  /** A body that takes its time: the wait starts anew whenever a part of it went out. */
  #stream(body, length) {
    const watch = {
      transform: (chunk, controller) => {
        this.#wait();
        controller.enqueue(chunk);
      },
    };
    const { readable, writable } = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
    this.#init.body = readable;
    body.pipeThrough(new TransformStream(watch)).pipeTo(writable).catch((error) => {
      this.#end(0, error === TOO_LARGE ? "too_large" : "client_gone");
    });
  }
}

/** All of `stream` in one piece, or the name of what failed. */
export async function collect(stream, limit) {
  const chunks = [];
  let length = 0;
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      length += value.byteLength;
      if (length > limit) {
        reader.cancel(TOO_LARGE).catch(() => {});
        return "too_large";
      }
      chunks.push(value);
    }
  } catch {
    return "broken";
  }
  if (chunks.length === 1) return chunks[0];
  const all = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    all.set(chunk, at);
    at += chunk.byteLength;
  }
  return all;
}

/** 4096 random bytes. */
export function random() {
  return crypto.getRandomValues(new Uint8Array(4096));
}
