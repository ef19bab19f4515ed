// The WebAssembly instance. Every call into it goes through `enter`, which replaces an instance that cannot be trusted any more.

import bundle from "./bundle.json";
import module from "./portico.wasm";
import * as portico from "portico";

/** Requests that wait, by their ids, the oldest first: `end` takes the response, or nothing if there is none; `since` when. */
export const waiting = new Map();

/** Requests that wait to be woken by a ring (`listen` of glue.js): what wakes them. */
export const bells = new Map();

let broken = false;
let inside = false;
let override = { text: undefined, looked: 0 };

/** Makes the first instance. Not before all modules are there: "portico" and this one import each other. */
export function load() {
  portico.initSync({ module });
  portico.start(bundle, undefined, 0);
}

/** What the next instance has to know: the configuration that overrides the deployed one, and when it was looked for. */
export function remember(text, looked) {
  override = { text, looked };
}

/** Calls an export of the instance. Nothing that it calls may come back here before it returns. */
export function enter(call, ...values) {
  // still inside: the runtime ended a call without an exception
  if (broken || inside) renew();
  inside = true;
  try {
    const result = call(...values);
    inside = false;
    return result;
  } catch (error) {
    fail(error);
    throw error;
  }
}

function renew() {
  give_up();
  portico.__wbg_reset_state();
  portico.start(bundle, override.text, override.looked);
  broken = false;
  inside = false;
}

// An exception leaves the instance in a state that nobody knows: nothing is unwound. So everybody who waits for it is told, and
// the next request gets a new one.
function fail(error) {
  if (broken) return;
  broken = true;
  const what = error instanceof WebAssembly.RuntimeError ? "panicked" : "failed";
  console.error(`the gateway ${what}: ${error?.stack ?? error}`);
  give_up();
}

/** Whoever waits for an instance that is no more hears it. */
function give_up() {
  for (const { end } of waiting.values()) end();
  waiting.clear();
  bells.clear();
}

/** What goes wrong in a continuation that Rust itself asked for. */
function trapped(error) {
  if (error instanceof WebAssembly.RuntimeError) fail(error);
}

addEventListener("error", (event) => trapped(event.error));
addEventListener("unhandledrejection", (event) => trapped(event.reason));
