/**
 * Owns where the files of a tar lie, read from its headers alone: an archive of many gigabytes stays on the disk. It reads ustar, and the pax
 * and GNU headers that such archives have before large or long-named files. Pure, but for reading the Blob.
 */

const BLOCK = 512;
/** Headers before a file that say something of it; a longer one is nobody's. */
const MOST_EXTENSION = 2 ** 20;

/** @typedef {{ readonly name: string, readonly size: number, readonly start: number, readonly body: number, readonly end: number }} TarFile */

/**
 * The plain files. `start` is where its headers begin, `end` where the next file's do. Throws with a sentence for what is no tar.
 * @param {Blob} blob
 * @returns {AsyncGenerator<TarFile>}
 */
export async function* filesOfTar(blob) {
  let at = 0;
  while (at + BLOCK <= blob.size) {
    const start = at;
    /** @type {{ name?: string, size?: number }} */
    const said = {};
    let header = await headerAt(blob, at);
    while (header !== undefined && "xgLK".includes(header.type)) {
      if (header.size > MOST_EXTENSION) throw noTar();
      const text = await blob.slice(at + BLOCK, at + BLOCK + header.size).text();
      if (header.type === "x") Object.assign(said, paxOf(text));
      if (header.type === "L") said.name = text.replace(/\0.*$/s, "");
      at += BLOCK + padded(header.size);
      header = await headerAt(blob, at);
    }
    if (header === undefined) return;
    const size = said.size ?? header.size;
    const body = at + BLOCK;
    at = body + padded(size);
    if (body + size > blob.size)
      throw new Error("The file is cut off: it ends before the last of its contents.");
    const name = (said.name ?? header.name).replace(/^(?:\.?\/)+/, "");
    if (header.type === "0") yield { name, size, start, body, end: at };
  }
}

/** What a tar ends with. */
export const TAR_END = new Uint8Array(2 * BLOCK);

/** @param {number} size */
function padded(size) {
  return Math.ceil(size / BLOCK) * BLOCK;
}

/** undefined at the end of the tar. @param {Blob} blob @param {number} at */
async function headerAt(blob, at) {
  const block = new Uint8Array(await blob.slice(at, at + BLOCK).arrayBuffer());
  if (block.length < BLOCK || block.every((byte) => byte === 0)) return undefined;
  const text = (/** @type {number} */ from, /** @type {number} */ to) =>
    new TextDecoder().decode(block.subarray(from, to)).replace(/\0.*$/s, "");
  if (!text(257, 262).startsWith("ustar") && at === 0) throw noTar();
  const prefix = text(257, 263) === "ustar" ? text(345, 500) : "";
  const type = text(156, 157);
  return {
    name: prefix === "" ? text(0, 100) : `${prefix}/${text(0, 100)}`,
    size: sizeIn(block.subarray(124, 136)),
    type: type === "" || type === "7" ? "0" : type,
  };
}

/** In octal digits; where the first bit is set, in binary. @param {Uint8Array} field */
function sizeIn(field) {
  const isBinary = ((field[0] ?? 0) & 0x80) !== 0;
  const size = isBinary
    ? field.subarray(4).reduce((sum, byte) => sum * 256 + byte, 0)
    : Number.parseInt(new TextDecoder().decode(field).replaceAll(/[\0 ]/g, "") || "0", 8);
  if (!Number.isSafeInteger(size)) throw noTar();
  return size;
}

/** @param {string} text */
function paxOf(text) {
  const path = /^\d+ path=(.*)$/m.exec(text)?.[1];
  const size = /^\d+ size=(\d+)$/m.exec(text)?.[1];
  return { ...(path !== undefined && { name: path }), ...(size !== undefined && { size: Number(size) }) };
}

function noTar() {
  return new Error(
    "This file is no bundle. A bundle is one .tar file, as “granary bundle export” or “docker save” write it; one that is packed (.gz, .zst) has to be unpacked first, or be imported by the command.",
  );
}
