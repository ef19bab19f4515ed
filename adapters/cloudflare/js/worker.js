// The entry: owns the WebAssembly instance, and holds the Durable Object of the rate limits.

import { DurableObject } from "cloudflare:workers";
import bundle from "./bundle.json";
import module from "./portico.wasm";
import * as portico from "portico";
import { waiting } from "portico-glue";
import { head } from "./head.js";

/** As many requests wait at most: of those that wait longest, the clients have left, and the runtime does not tell. */
const WAITING = 1024;

let broken = false;
let last = 0;

function load() {
  portico.initSync({ module });
  portico.start(bundle);
}

load();

// A panic leaves the instance in a state that nobody knows (`panic = "abort"`), so everybody who waits for it is told, and the
// next request gets a new one.
function fail(error) {
  if (!(error instanceof WebAssembly.RuntimeError) || broken) return;
  broken = true;
  console.error(`the gateway panicked: ${error.stack}`);
  for (const end of waiting.values()) end();
  waiting.clear();
}

addEventListener("error", (event) => fail(event.error));
addEventListener("unhandledrejection", (event) => fail(event.reason));

function revive() {
  if (!broken) return;
  portico.__wbg_reset_state();
  portico.start(bundle);
  broken = false;
}

function problem() {
  const id = crypto.randomUUID();
  const body = {
    type: "about:blank",
    title: "Internal Server Error",
    status: 500,
    detail: "The gateway failed.",
    instance: id,
    code: "internal_error",
  };
  const headers = { "content-type": "application/problem+json", "cache-control": "no-store", "x-request-id": id };
  return new Response(JSON.stringify(body), { status: 500, headers });
}

export default {
  fetch(request, env, context) {
    try {
      revive();
      const id = ++last;
      const response = portico.fetch(id, head(request), request.body ?? undefined, env, context);
      if (response !== undefined) return response;
      if (waiting.size >= WAITING) forget();
      // each makes its problem itself: the runtime sends no body that another request made
      return new Promise((end) => waiting.set(id, end)).then((response) => response ?? problem());
    } catch (error) {
      console.error(`the gateway failed: ${error}`);
      fail(error);
      return problem();
    }
  },
};

/** Gives up the request that waits longest. */
function forget() {
  const [[id, end]] = waiting;
  waiting.delete(id);
  portico.forget(id);
  end();
}

/**
 * One rate limit key. Its object runs nowhere else at the same time and steps without awaiting, so every step is whole. The
 * runtime holds an answer back until what was stored before it is durable (output gates), so no step is forgotten.
 */
export class RateLimit extends DurableObject {
  /** The state: microseconds since the epoch. `undefined` for a bucket that is full. */
  #stored;
  #alarm = false;

  constructor(context, env) {
    super(context, env);
    this.#stored = context.storage.kv.get("tat");
  }

  /** One step: the numbers of `limits::step` but the last, which is stored. */
  take(interval, burst, cost) {
    revive();
    const now = Date.now() * 1000;
    let answer;
    try {
      answer = portico.limit(this.#stored, interval, burst, now, cost);
    } catch (error) {
      fail(error);
      // not at once: to a request of this isolate, with nothing left to wait for, the runtime would not tell what `fail` said
      return new Promise((_, reject) => setTimeout(reject, 0, error));
    }
    const next = answer[4];
    if (next !== this.#stored) {
      this.#stored = next;
      this.ctx.storage.kv.put("tat", next);
      if (!this.#alarm) {
        this.#alarm = true;
        this.ctx.storage.setAlarm(Math.ceil(next / 1000) + 1000);
      }
    }
    return answer.subarray(0, 4);
  }

  /** Forgets a bucket that is full again: an object that stores nothing costs nothing. */
  async alarm() {
    if (this.#stored > Date.now() * 1000) {
      await this.ctx.storage.setAlarm(Math.ceil(this.#stored / 1000) + 1000);
      return;
    }
    this.#stored = undefined;
    this.#alarm = false;
    await this.ctx.storage.deleteAll();
  }
}
