// The Worker, with ./probe.js around it.

import { WorkerEntrypoint } from "cloudflare:workers";
import { seen, state } from "./probe.js";
import gateway, { RateLimit as Original } from "./worker.js";

export default {
  fetch(request, env, context) {
    state.requests += 1;
    return gateway.fetch(request, { ...env, PORTICO: seen(env.PORTICO) }, context);
  },
};

/** Tells the state of the isolate, after changes to it. */
export class Probe extends WorkerEntrypoint {
  async fetch(request) {
    Object.assign(state, await request.json());
    return Response.json(state);
  }
}

/** The objects of rate limits, seen. */
export class RateLimit extends Original {
  constructor(context, env) {
    super(context, env);
    const kv = Object.getPrototypeOf(context.storage.kv);
    const { put } = kv;
    if (put.counted) return;
    kv.put = function (...values) {
      state.puts += 1;
      return put.apply(this, values);
    };
    kv.put.counted = true;
  }

  async step(...values) {
    state.taken += 1;
    if (state.hold !== null) await fetch(state.hold);
    if (state.abort) {
      state.abort = false;
      this.ctx.abort("a test wants it so");
    }
    return super.step(...values);
  }

  async alarm() {
    await super.alarm();
    state.alarms += 1;
    console.log(`alarm over ${JSON.stringify([...this.ctx.storage.kv.list()])} ${state.alarms}`);
  }
}

/** A class of objects that cannot be reached. */
export class Broken {
  constructor() {
    throw new Error("this object cannot be started");
  }
}
