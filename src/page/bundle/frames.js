/**
 * Owns how the bytes of a bundle are taken out of the frames in which the server sends them: its length before each, and after one of length 0
 * what came of it, as JSON. So a bundle that breaks off is told from one that is whole.
 */

/**
 * The bytes of the frames in turn. Throws with a sentence where they break off, or where the server says why it could not go on.
 * @param {ReadableStream<Uint8Array>} stream
 * @returns {AsyncGenerator<Uint8Array<ArrayBuffer>>}
 */
export async function* bytesOfFrames(stream) {
  const reader = stream.getReader();
  let left = new Uint8Array(0);
  /** At least so many bytes, or what is there at the end. @param {number} count */
  const fill = async (count) => {
    while (left.length < count) {
      const { done, value } = await reader.read();
      if (done) return;
      const both = new Uint8Array(left.length + value.length);
      both.set(left);
      both.set(value, left.length);
      left = both;
    }
  };
  try {
    for (;;) {
      await fill(4);
      if (left.length < 4) throw brokenOff();
      let missing = new DataView(left.buffer, left.byteOffset).getUint32(0);
      left = left.slice(4);
      if (missing === 0) break;
      while (missing > 0) {
        if (left.length === 0) await fill(1);
        if (left.length === 0) throw brokenOff();
        const part = left.slice(0, missing);
        left = left.slice(part.length);
        missing -= part.length;
        yield part;
      }
    }
    await fill(Number.POSITIVE_INFINITY);
    const ended = JSON.parse(new TextDecoder().decode(left));
    if (ended.error !== undefined) throw new Error(ended.error.message);
  } finally {
    reader.releaseLock();
  }
}

function brokenOff() {
  return new Error("The bundle did not come whole: the connection ended before it.");
}
