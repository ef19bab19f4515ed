// Bodies: the runtime's own streams, which are read here when somebody has to.

/** Streams that failed because more came than they may hold: the runtime does not tell their readers why. */
export const exceeded = new WeakSet();

/** `stream`, which fails once more than `limit` bytes came through. */
export function bounded(stream, limit) {
  const { readable, writable } = new IdentityTransformStream();
  let length = 0;
  const count = (part) => {
    length += part;
    if (length <= limit) return;
    exceeded.add(readable);
    throw new RangeError("the body is too large");
  };
  pump(stream, writable, count, () => {}).catch(() => {});
  return readable;
}

/** As much of a stream goes on at once, at most. */
const PART = 64 * 1024;

/**
 * Hands `stream` on to `writable`: `came` is told the length of each part before it goes, `went` is called when it is gone. Fails
 * with what `stream` or `came` fails with; ends when `writable` takes no more, which whoever reads there knows. A transform in a
 * pipe would do the same in parts of 4 KiB, with several promises for each.
 */
export async function pump(stream, writable, came, went) {
  const [reader, writer] = [stream.getReader({ mode: "byob" }), writable.getWriter()];
  let buffer = new ArrayBuffer(PART);
  for (;;) {
    let part;
    try {
      part = await reader.read(new Uint8Array(buffer));
      came(part.value?.byteLength ?? 0);
    } catch (error) {
      reader.cancel(error).catch(() => {});
      writer.abort(error).catch(() => {});
      throw error;
    }
    try {
      if (part.done) return await writer.close();
      await writer.write(part.value);
    } catch (error) {
      return reader.cancel(error).catch(() => {});
    }
    buffer = part.value.buffer;
    went();
  }
}

/**
 * `stream` twice, `length` bytes if that is known. Parts are held for whichever is slower, as long as no more than `limit` bytes came:
 * beyond that the second one fails, and the first one has its own pace. When one is cancelled, the other goes on. The runtime's own
 * `tee` would let a slow client hold up the second one, and take any number of bytes for one that nobody reads.
 */
export function tee(stream, limit, length) {
  const { readable, writable } = length === undefined ? new IdentityTransformStream() : new FixedLengthStream(length);
  const second = new Second(limit);
  share(stream, writable, second).catch(() => {});
  return [readable, second.stream];
}

/** What reads along. */
class Second {
  /** Whether it wants no more. */
  over = false;
  stream;
  #controller;
  #left;

  constructor(limit) {
    this.#left = limit;
    this.stream = new ReadableStream({
      start: (controller) => {
        this.#controller = controller;
      },
      cancel: () => {
        this.over = true;
      },
    });
  }

  /** Takes a part, if it may hold that much. */
  take(part) {
    if (this.over) return;
    this.#left -= part.byteLength;
    if (this.#left >= 0) return this.#controller.enqueue(part);
    exceeded.add(this.stream);
    this.fail(new RangeError("the body is too large"));
  }

  fail(error) {
    if (!this.over) this.#controller.error(error);
    this.over = true;
  }

  end() {
    if (!this.over) this.#controller.close();
    this.over = true;
  }
}

/** Hands `stream` on to `writable` and `second`, until only one of them is left. */
async function share(stream, writable, second) {
  const [reader, writer] = [stream.getReader({ mode: "byob" }), writable.getWriter()];
  let written = Promise.resolve(true);
  let buffer = new ArrayBuffer(PART);
  try {
    while (!second.over) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) {
        second.end();
        return await writer.close();
      }
      // for both: neither changes it. It may be much shorter than the buffer
      const part = value.slice();
      buffer = value.buffer;
      second.take(part);
      // not awaited: the writer holds them
      written = writer.write(part).then(
        () => true,
        () => false,
      );
    }
  } catch (error) {
    second.fail(error);
    reader.cancel(error).catch(() => {});
    return await writer.abort(error);
  }
  if (!(await written)) return await reader.cancel();
  reader.releaseLock();
  writer.releaseLock();
  await pump(stream, writable, () => {}, () => {});
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
        reader.cancel().catch(() => {});
        return "too_large";
      }
      chunks.push(value);
    }
  } catch {
    return exceeded.has(stream) ? "too_large" : "broken";
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
