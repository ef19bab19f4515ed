// The entry: requests, and the Durable Object of the rate limits.

import { DurableObject } from "cloudflare:workers";
import * as portico from "portico";
import { head } from "./head.js";
import { bells, enter, load, waiting } from "./instance.js";
import { problem } from "./problem.js";

/** From so many waiting requests on, those are given up that have waited for longer than anything takes: */
const MANY = 1024;

/** their clients have left, and the runtime does not tell. In milliseconds. */
const LONG = 3_600_000;

let last = 0;

load();

export default {
  fetch(request, env, context) {
    try {
      // u32, and 0 is nobody
      last = (last % 0xffffffff) + 1;
      const id = last;
      const response = enter(portico.fetch, id, head(request), request.headers, request.body ?? undefined, env, context);
      if (response !== undefined) return response;
      if (waiting.size >= MANY) forget();
      // each makes its problem itself: the runtime sends no body that another request made
      return new Promise((end) => waiting.set(id, { end, since: Date.now() })).then((response) => response ?? problem());
    } catch {
      return problem();
    }
  },
};

/** Gives up the requests that have waited for too long. */
function forget() {
  const now = Date.now();
  for (const [id, { end, since }] of waiting) {
    if (now - since < LONG) return;
    console.error("a request is given up that has waited for an hour");
    waiting.delete(id);
    bells.delete(id);
    enter(portico.forget, id);
    end();
  }
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
    let answer;
    try {
      answer = enter(portico.limit, this.#stored, interval, burst, Date.now() * 1000, cost);
    } catch (error) {
      // not at once: to a request of this isolate, with nothing left to wait for, the runtime would not tell what `enter` said
      return new Promise((_, reject) => setTimeout(reject, 0, error));
    }
    if (answer.length === 0) throw new RangeError("no quota");
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
