// What Rust asks of the runtime, and how its requests go on when they have it.
//
// Heads of messages cross as one text each, because every crossing costs: lines of a name and of its value in turn (no field
// value has a line break in it). Bodies cross as the runtime's own streams.

import * as portico from "portico";
import { exceeded, pump } from "./bodies.js";
import { bells, enter, remember, waiting } from "./instance.js";
import { problem } from "./problem.js";

export { bounded, collect, tee } from "./bodies.js";
export { forget, look_up, put } from "./cache.js";
export { remember };

/** Goes on with the request `id`, by an export that gives its response, if it has one by then; ends it if so. */
function go_on(id, call, ...values) {
  if (!waiting.has(id)) return;
  const response = enter(call, id, ...values);
  if (response === undefined) return;
  waiting.get(id)?.end(response);
  waiting.delete(id);
  bells.delete(id);
}

/**
 * Lets `ring` wake the request `id`. Its promise is made in the context of that request, so the runtime also goes on with
 * it there, whoever rings: the runtime refuses I/O in another request's context.
 */
export function listen(id) {
  new Promise((ring) => bells.set(id, ring)).then(() => go_on(id, portico.poll));
}

/** Wakes the request `id`. */
export function ring(id) {
  bells.get(id)?.();
  bells.delete(id);
}

/**
 * Changes `headers` as `lines` say from `at` on: for each change the name of a field, a sign and a value. "-": the field is
 * removed; "=": it has this value and no other; "+": this value is added.
 */
function change(headers, lines, at) {
  for (; at + 2 < lines.length; at += 3) {
    const sign = lines[at + 1];
    if (sign === "=") headers.set(lines[at], lines[at + 2]);
    else if (sign === "+") headers.append(lines[at], lines[at + 2]);
    else headers.delete(lines[at]);
  }
}

/**
 * The response that goes to the client: with the fields of `base`, if there are any, but for the `changes`. The body is
 * encoded already, as the fields say, or not at all.
 */
export function respond(status, base, changes, body, webSocket) {
  try {
    const response = new Response(body, { status, headers: base, encodeBody: "manual", webSocket });
    if (changes !== "") change(response.headers, changes.split("\n"), 0);
    return response;
  } catch (error) {
    console.error(`the runtime refused a response: ${error}`);
    return problem();
  }
}

/**
 * Sends a request upstream, by `service` if there is one. `head` is its URL, its method, and what its fields have other than
 * `base`. With a request's `id` it goes on with that request by `resume`; without (0) it returns a promise of what `resume` takes.
 */
export function send(id, turn, service, head, base, body, length, timeout) {
  const attempt = new Attempt(service, head, base, timeout);
  if (id === 0) {
    return new Promise((resolve) => attempt.start(body, length, (...reply) => resolve(reply)));
  }
  attempt.start(body, length, (...reply) => go_on(id, portico.resume, turn, ...reply));
}

/** Goes on with the request `id` when `promise` is settled. */
export function settle(id, turn, promise) {
  promise.then(
    (value) => go_on(id, portico.settle, turn, true, value),
    (error) => go_on(id, portico.settle, turn, false, error),
  );
}

/** Bodies that are known to be no longer than this count as sent at once. */
const SHORT = 64 * 1024;

/** One request upstream, and the wait for the head of its response: `timeout` milliseconds. */
class Attempt {
  #service;
  #head;
  #init;
  #timeout;
  #timer;
  #done;
  #late = "timeout";

  constructor(service, head, base, timeout) {
    this.#service = service;
    this.#head = head.split("\n");
    this.#init = { method: this.#head[1], headers: new Headers(base), redirect: "manual", encodeResponseBody: "manual" };
    // Cloudflare's own cache knows nothing of who may see what
    if (service === undefined) this.#init.cache = "no-store";
    this.#timeout = timeout;
  }

  /** Sends it, and calls `done` later with the response, or with 0 and the name of what failed. */
  start(body, length, done) {
    this.#done = done;
    this.#wait();
    this.#send(body, length).then(
      (response) => {
        const { headers } = response;
        let head = "";
        headers.forEach((value, name) => {
          head += head === "" ? `${name}\n${value}` : `\n${name}\n${value}`;
        });
        if (this.#done === undefined) response.body?.cancel().catch(() => {});
        this.#end(response.status, head, headers, response.body ?? undefined, response.webSocket);
      },
      (error) => {
        console.warn(`upstream: ${error}`);
        // the runtime's own fetch() throws a TypeError for what it cannot send, and another error for what did not come through
        this.#end(0, error instanceof TypeError && this.#service === undefined ? "unsendable" : "broken");
      },
    );
  }

  /** Never throws: an exception would go through WebAssembly. */
  #send(body, length) {
    try {
      const { method, headers } = this.#init;
      change(headers, this.#head, 2);
      if (body !== undefined && (method === "GET" || method === "HEAD")) {
        setTimeout(() => this.#end(0, "unsendable"), 0);
        return new Promise(() => {});
      }
      if (body instanceof ReadableStream && !(length <= SHORT)) this.#stream(body, length);
      else if (body !== undefined) this.#init.body = body;
      const url = this.#head[0];
      return this.#service === undefined ? fetch(url, this.#init) : this.#service.fetch(url, this.#init);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** The first end counts. What comes after a timeout is dropped. */
  #end(...reply) {
    clearTimeout(this.#timer);
    const done = this.#done;
    this.#done = undefined;
    done?.(...reply);
  }

  #wait() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#end(0, this.#late), this.#timeout);
  }

  /** A body that takes its time: the wait starts anew whenever a part of it went out. */
  #stream(body, length) {
    const { readable, writable } = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
    this.#init.body = readable;
    const turn = (whose) => {
      this.#late = whose;
      this.#wait();
    };
    turn("client_timeout");
    pump(body, writable, () => turn("timeout"), () => turn("client_timeout")).catch(() => {
      this.#end(0, exceeded.has(body) ? "too_large" : "client_gone");
    });
  }
}

/** 4096 random bytes. */
export function random() {
  return crypto.getRandomValues(new Uint8Array(4096));
}
