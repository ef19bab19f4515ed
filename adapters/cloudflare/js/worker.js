// The entry: requests, and the Durable Object of rate limits and purges.

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

/** What the keys of purges begin with, in the storage of their object. */
const PURGE = "purge/";

/**
 * One rate limit key; or, under a name that no limit has, what was purged. Its object runs nowhere else at the same time and steps without awaiting, so every step is whole. The
 * runtime holds an answer back until what was stored before it is durable (output gates), so no step is forgotten.
 */
export class RateLimit extends DurableObject {
  /** When the state may be forgotten, in microseconds since the epoch, and the state. Nothing for a key of which nothing is taken. */
  #stored;
  #alarm = false;
  /** What was purged, a line for each; nothing before somebody asks. */
  #purges;

  constructor(context, env) {
    super(context, env);
    this.#stored = context.storage.kv.get("state") ?? [];
  }

  /** One step: the verdicts of `limits::decide`, in numbers. */
  step(rules, draw, units) {
    let answer;
    try {
      answer = enter(portico.limit, this.#stored, rules, Date.now() * 1000, draw, units);
    } catch (error) {
      return later(error);
    }
    if (answer.length === 0) throw new RangeError(`the rules [${rules}] or their state [${this.#stored}] cannot be read`);
    const end = 1 + answer[0];
    if (end < answer.length) {
      this.#stored = answer.slice(end);
      this.ctx.storage.kv.put("state", this.#stored);
      if (!this.#alarm) {
        this.#alarm = true;
        this.#wake();
      }
    }
    return answer.slice(1, end);
  }

  /** Forgets what is as if it had never been: an object that stores nothing costs nothing. */
  async alarm() {
    if (this.#stored[0] > Date.now() * 1000) {
      await this.#wake();
      return;
    }
    this.#stored = [];
    this.#alarm = false;
    await this.ctx.storage.deleteAll();
  }

  /** Sets the alarm. */
  #wake() {
    return this.ctx.storage.setAlarm(Math.ceil(this.#stored[0] / 1000) + 1000);
  }

  /** What was purged, a line for each. */
  purges() {
    this.#purges ??= this.#kept().map(([, line]) => line).join("\n");
    return this.#purges;
  }

  /** Adds purges, a line for each. */
  purge(more) {
    let lines;
    try {
      lines = enter(portico.purge, this.purges(), more);
    } catch (error) {
      return later(error);
    }
    if (lines === undefined) throw new RangeError(`the purges ${more} cannot be read`);
    const missing = new Set(lines.split("\n"));
    // each has an entry of its own, because all of them may be larger than one may be
    this.ctx.storage.transactionSync(() => {
      for (const [key, kept] of this.#kept()) if (!missing.delete(kept)) this.ctx.storage.kv.delete(key);
      for (const one of missing) this.ctx.storage.kv.put(PURGE + crypto.randomUUID(), one);
    });
    this.#purges = lines;
  }

  /** The purges in the storage: keys and lines. */
  #kept() {
    return [...this.ctx.storage.kv.list({ prefix: PURGE })];
  }
}

/**
 * Fails with `error`, but not at once: to a request of this isolate, with nothing left to wait for, the runtime would not tell
 * what `enter` said.
 */
function later(error) {
  return new Promise((_, reject) => setTimeout(reject, 0, error));
}
