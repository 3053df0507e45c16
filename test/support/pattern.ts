/**
 * Owns the generated content of tests: deterministic bytes from (seed, offset), computable at any offset without
 * storing the blob, so that any byte can be checked anywhere. A random block repeats; a stamp of its own every
 * 512 bytes makes each place different, so that misplaced bytes are seen too.
 */
import { createHash } from "node:crypto";
import { type Digest, type DigestAlgorithm, finishDigest } from "../../src/oci/digest.ts";

const BLOCK = 64 * 1024;
const STAMP_EVERY = 512;
const STAMP = 4;

const blocks = new Map<number, Buffer>();
const digests = new Map<string, Digest>();

/** Fills `buffer` with the bytes `[offset, offset + buffer.length)` of the pattern `seed`. */
export function fill(seed: number, offset: number, buffer: Uint8Array): void {
  const block = blockOf(seed);
  for (let at = 0; at < buffer.length; ) {
    const from = (offset + at) % BLOCK;
    const count = Math.min(BLOCK - from, buffer.length - at);
    buffer.set(count === BLOCK ? block : block.subarray(from, from + count), at);
    at += count;
  }
  stamp(seed, offset, buffer);
}

export function patternBytes(seed: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  fill(seed, offset, bytes);
  return bytes;
}

/** The digest of the first `size` bytes of a pattern, streamed; remembered for the life of the process. */
export function digestOfPattern(seed: number, size: number, algorithm: DigestAlgorithm = "sha256"): Digest {
  const key = `${algorithm} ${seed} ${size}`;
  const known = digests.get(key);
  if (known !== undefined) return known;
  const hash = createHash(algorithm);
  const buffer = Buffer.allocUnsafe(Math.min(size, 1 << 20));
  for (let at = 0; at < size; at += buffer.length) {
    const part = buffer.subarray(0, Math.min(buffer.length, size - at));
    fill(seed, at, part);
    hash.update(part);
  }
  const digest = finishDigest(hash, algorithm);
  digests.set(key, digest);
  return digest;
}

/** Offset (in the blob) of the first byte of `bytes` that differs from the pattern at `offset`; undefined when none does. */
export function firstDifference(seed: number, offset: number, bytes: Uint8Array): number | undefined {
  const wanted = patternBytes(seed, offset, bytes.length);
  if (wanted.equals(bytes)) return undefined;
  return offset + wanted.findIndex((byte, index) => byte !== bytes[index]);
}

function stamp(seed: number, offset: number, buffer: Uint8Array): void {
  const view = new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const first = Math.floor(offset / STAMP_EVERY);
  for (let page = first; page * STAMP_EVERY < offset + buffer.length; page++) {
    const at = page * STAMP_EVERY - offset;
    const value = (Math.imul(page + 1, 0x9e3779b1) ^ seed) >>> 0;
    if (at >= 0 && at + STAMP <= buffer.length) view.setUint32(at, value, true);
    else stampEdge(buffer, at, value);
  }
}

function stampEdge(buffer: Uint8Array, at: number, value: number): void {
  for (let index = 0; index < STAMP; index++) {
    const place = at + index;
    if (place >= 0 && place < buffer.length) buffer[place] = (value >>> (8 * index)) & 0xff;
  }
}

/** Mulberry32: small, and good enough that no two places look alike. */
function blockOf(seed: number): Buffer {
  const known = blocks.get(seed);
  if (known !== undefined) return known;
  const block = Buffer.allocUnsafe(BLOCK);
  let state = (seed + 0x6d2b79f5) >>> 0;
  for (let at = 0; at < BLOCK; at += 4) {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    block.writeUInt32LE((mixed ^ (mixed >>> 14)) >>> 0, at);
  }
  blocks.set(seed, block);
  return block;
}
