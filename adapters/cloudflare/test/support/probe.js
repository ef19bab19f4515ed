// Inside of the Worker, before it: what tests see of an isolate, and what they change in it.

const now = Date.now;

/** What tests see; and what they change, by the first five. */
export const state = {
  /** Milliseconds by which the clock is ahead. */
  clock: 0,
  /** Where there is a trap next: in the course of this export; or `read`: when what a read of the store gave is gone on with. */
  trap: null,
  /** Whether the next object that is asked ends. */
  abort: false,
  /** A URL: objects of rate limits do nothing before it was fetched. */
  hold: null,
  /** Whether reads of the key-value store never end. */
  stuck: false,
  /** WebAssembly instances that were made. */
  instances: 0,
  /** Bytes of the last one's memory. */
  get memory() {
    return exports?.memory.buffer.byteLength;
  },
  /** Requests that came. */
  requests: 0,
  /** Signatures that WebCrypto looked at. */
  verified: 0,
  /** What the key-value store was asked for. */
  reads: [],
  /** Calls that objects of rate limits got. */
  taken: 0,
  /** What objects of rate limits wrote. */
  puts: 0,
  /** Alarms of theirs that are over. */
  alarms: 0,
};

Date.now = () => now() + state.clock;

const { verify } = SubtleCrypto.prototype;

SubtleCrypto.prototype.verify = function (...values) {
  state.verified += 1;
  return verify.apply(this, values);
};

let exports;
/** Within an export that is to trap: the next thing that it asks of JavaScript does. */
let armed = false;

const { Instance } = WebAssembly;

WebAssembly.Instance = function (module, imports) {
  exports = new Instance(module, each(imports, (_, members) => each(members, imported))).exports;
  state.instances += 1;
  return { exports: each(exports, exported) };
};

/** The same object with other members. */
function each(members, change) {
  return Object.fromEntries(Object.entries(members).map(([name, member]) => [name, change(name, member)]));
}

function imported(_, member) {
  if (typeof member !== "function") return member;
  return (...values) => {
    if (armed) trap();
    return member(...values);
  };
}

function exported(name, member) {
  if (typeof member !== "function") return member;
  return (...values) => {
    if (state.trap !== name && state.trap !== "any") return member(...values);
    state.trap = null;
    armed = true;
    try {
      const result = member(...values);
      // it asked for nothing
      if (armed) trap();
      return result;
    } finally {
      armed = false;
    }
  };
}

/** What a panic comes to: the instance aborts, for want of memory. */
function trap() {
  armed = false;
  exports.__wbindgen_malloc(0xffff_ffff, 1);
}

/** A KV namespace whose reads are seen. */
export function seen(namespace) {
  const read = (key, ...options) => {
    state.reads.push(key);
    if (state.stuck) return new Promise(() => {});
    const value = namespace.get(key, ...options);
    return state.trap === "read" ? value.finally(() => (state.trap = "any")) : value;
  };
  const get = (_, name) => {
    if (name === "get") return read;
    const member = namespace[name];
    return name !== "constructor" && typeof member === "function" ? member.bind(namespace) : member;
  };
  return new Proxy(namespace, { get });
}
