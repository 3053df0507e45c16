/**
 * Owns the thread that hashes: every follower's file is read and hashed here, one step each in turn, so that a 40 GB blob
 * does not keep a 1 KiB one waiting. It must never write, and never fail for one follower because of another.
 */
import { createHash, type Hash } from "node:crypto";
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { parentPort } from "node:worker_threads";
import { stampOf } from "../files/open-file.ts";
import { type DigestAlgorithm, finishDigest } from "../oci/digest.ts";

/** The file to hash. `identity` is `dev:ino`: another file may have the path by now. */
export type FollowedFile = {
  readonly path: string;
  /** Leads to the file also after its path was removed. */
  readonly descriptor?: string;
  readonly identity: string;
  readonly algorithm: DigestAlgorithm;
  /** Bytes of the whole blob. */
  readonly size: number;
};

export type ToDigestWorker =
  | { readonly id: number; readonly open: FollowedFile }
  | { readonly id: number; readonly advance: number }
  | { readonly id: number; readonly close: true };

export type FromDigestWorker =
  | { readonly id: number; readonly hashed: number }
  | {
      readonly id: number;
      readonly digest: string;
      /** Of the file, when it was the same before the first byte was read and after the last. */
      readonly stamp: string | undefined;
    }
  | { readonly id: number; readonly failure: string };

type Followed = FollowedFile & {
  readonly open: number;
  readonly hash: Hash;
  readonly stamp: string;
  hashed: number;
  readable: number;
};

/** Large enough that the cost of a step does not matter, small enough that each follower has its turn every few milliseconds. */
const STEP_BYTES = 1024 * 1024;
/** How often it is told how far a large file is. */
const TELL_BYTES = 64 * 1024 * 1024;

const buffer = Buffer.allocUnsafe(STEP_BYTES);
const followed = new Map<number, Followed>();
let turnPlanned = false;

parentPort?.on("message", (message: ToDigestWorker) => {
  if ("open" in message) attempt(message.id, () => openFollowed(message.id, message.open));
  else if ("close" in message) drop(message.id);
  else {
    const entry = followed.get(message.id);
    if (entry === undefined) return;
    entry.readable = message.advance;
    if (!turnPlanned) takeTurn();
  }
});

/** One step for each that has bytes to hash, then the messages that came meanwhile, then the next turn. */
function takeTurn(): void {
  turnPlanned = false;
  for (const [id, entry] of followed) attempt(id, () => step(id, entry));
  for (const entry of followed.values()) {
    if (entry.hashed < entry.readable) turnPlanned = true;
  }
  if (turnPlanned) setImmediate(takeTurn);
}

function step(id: number, entry: Followed): void {
  const wanted = Math.min(STEP_BYTES, entry.readable - entry.hashed);
  if (wanted > 0) {
    const count = readSync(entry.open, buffer, 0, wanted, entry.hashed);
    if (count === 0) throw new Error(`${entry.path} ended at ${entry.hashed} of ${entry.readable} bytes`);
    entry.hash.update(count === STEP_BYTES ? buffer : buffer.subarray(0, count));
    entry.hashed += count;
    if (entry.hashed % TELL_BYTES === 0)
      parentPort?.postMessage({ id, hashed: entry.hashed } satisfies FromDigestWorker);
  }
  if (entry.hashed < entry.size || entry.readable < entry.size) return;
  const digest = finishDigest(entry.hash, entry.algorithm);
  const stamp = stampNow(entry.open) === entry.stamp ? entry.stamp : undefined;
  drop(id);
  parentPort?.postMessage({ id, digest, stamp } satisfies FromDigestWorker);
}

function openFollowed(id: number, file: FollowedFile): void {
  const open = openSame(file.path, constants.O_NOFOLLOW, file) ?? openSame(file.descriptor, 0, file);
  if (open === undefined) throw new Error(`${file.path} is another file than the one to follow, or gone`);
  const hash = createHash(file.algorithm);
  followed.set(id, { ...file, open, hash, stamp: stampNow(open), hashed: 0, readable: -1 });
}

function stampNow(descriptor: number): string {
  return stampOf(fstatSync(descriptor, { bigint: true }));
}

/** A descriptor of what `path` leads to, if that is the file that is meant. */
function openSame(path: string | undefined, flags: number, { identity }: FollowedFile): number | undefined {
  const descriptor = path === undefined ? undefined : openIfThere(path, constants.O_RDONLY | flags);
  if (descriptor === undefined) return undefined;
  const { dev, ino } = fstatSync(descriptor, { bigint: true });
  if (`${dev}:${ino}` === identity) return descriptor;
  closeSync(descriptor);
  return undefined;
}

function openIfThere(path: string, flags: number): number | undefined {
  try {
    return openSync(path, flags);
  } catch {
    return undefined; // The caller tries another path, or reports that there is none.
  }
}

function drop(id: number): void {
  const entry = followed.get(id);
  if (entry === undefined) return;
  followed.delete(id);
  closeSync(entry.open);
}

/** A failure ends this follower and no other. */
function attempt(id: number, work: () => void): void {
  try {
    work();
  } catch (error) {
    drop(id);
    const failure = error instanceof Error ? error.message : String(error);
    parentPort?.postMessage({ id, failure } satisfies FromDigestWorker);
  }
}
