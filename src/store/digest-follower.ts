/**
 * Owns the main thread's side of hashing: DigestFollowers, and the one worker thread that works for all of them. It hashes nothing itself,
 * and a worker without work must never keep the process alive.
 */
import { extname } from "node:path";
import { Worker } from "node:worker_threads";
import { GranaryError, messageOf } from "../errors.ts";
import { type Digest, parseDigest } from "../oci/digest.ts";
import type { FollowedFile, FromDigestWorker, ToDigestWorker } from "./digest-worker.ts";
import type { DigestFollower } from "./partial.ts";

/** The worker is told of new bytes in steps of this size: a message for each chunk of 64 KiB would cost too much. */
const POST_BYTES = 1024 * 1024;

/** `.ts` when run from the sources, `.js` after the build: the compiler rewrites imports, but not this URL. */
const WORKER_URL = new URL(`./digest-worker${extname(import.meta.filename)}`, import.meta.url);

/** What was found, and the stamp of the file that it is true of; undefined where somebody changed the file meanwhile. */
export type HashedFile = { readonly digest: Digest; readonly stamp: string | undefined };

/** A follower that also tells which state of the file it has hashed. */
export interface FileFollower extends DigestFollower {
  hashed(): Promise<HashedFile>;
  /** Bytes so far, told now and then. */
  readonly done: number;
}

type Settle = {
  progressed(done: number): void;
  resolve(hashed: HashedFile): void;
  reject(error: GranaryError): void;
};

type SharedWorker = { readonly thread: Worker; readonly waiting: Map<number, Settle> };

let shared: SharedWorker | undefined;
let lastId = 0;

/** Starts to follow `file`; the caller closes. `digest()` rejects `store-damaged` when the file cannot be read. */
export function followFile(file: FollowedFile): FileFollower {
  return new WorkerFollower(file);
}

class WorkerFollower implements FileFollower {
  readonly #id = ++lastId;
  readonly #size: number;
  readonly #worker: SharedWorker;
  readonly #hashed: Promise<HashedFile>;
  #posted = -1;
  #done = 0;

  constructor(file: FollowedFile) {
    this.#size = file.size;
    this.#worker = sharedWorker();
    const { promise, resolve, reject } = Promise.withResolvers<HashedFile>();
    this.#hashed = promise;
    // Whoever asks for the digest gets the failure; without this, a follower that nobody asks would be an unhandled rejection.
    promise.catch(() => {});
    const progressed = (done: number) => {
      this.#done = done;
    };
    this.#worker.waiting.set(this.#id, { resolve, reject, progressed });
    this.#worker.thread.ref();
    this.#post({ id: this.#id, open: file });
  }

  advance(end: number): void {
    if (end <= this.#posted) return;
    if (end < this.#size && end - this.#posted < POST_BYTES) return;
    this.#posted = end;
    this.#post({ id: this.#id, advance: end });
  }

  async digest(): Promise<Digest> {
    return (await this.#hashed).digest;
  }

  get done(): number {
    return this.#done;
  }

  hashed(): Promise<HashedFile> {
    return this.#hashed;
  }

  close(): void {
    const settle = take(this.#worker, this.#id);
    if (settle === undefined) return;
    this.#worker.thread.postMessage({ id: this.#id, close: true } satisfies ToDigestWorker);
    settle.reject(new GranaryError("closed", "The digest computation was closed before its end."));
  }

  #post(message: ToDigestWorker): void {
    if (this.#worker.waiting.has(this.#id)) this.#worker.thread.postMessage(message);
  }
}

function sharedWorker(): SharedWorker {
  shared ??= startWorker();
  return shared;
}

function startWorker(): SharedWorker {
  // Without the flags of the main thread: some of them (--input-type, --eval) are refused in a worker.
  const worker: SharedWorker = { thread: new Worker(WORKER_URL, { execArgv: [] }), waiting: new Map() };
  let reason = "it stopped";
  worker.thread.unref();
  worker.thread.on("message", (message: FromDigestWorker) => settle(worker, message));
  worker.thread.on("error", (error) => {
    reason = messageOf(error);
  });
  worker.thread.on("exit", () => abandon(worker, reason));
  return worker;
}

function settle(worker: SharedWorker, message: FromDigestWorker): void {
  if ("hashed" in message) {
    worker.waiting.get(message.id)?.progressed(message.hashed);
    return;
  }
  const waiting = take(worker, message.id);
  if ("digest" in message) waiting?.resolve({ digest: parseDigest(message.digest), stamp: message.stamp });
  else waiting?.reject(new GranaryError("store-damaged", `Hashing failed: ${message.failure}.`));
}

/** The worker is gone: its followers fail, and the next follower starts a new one. */
function abandon(worker: SharedWorker, reason: string): void {
  if (shared === worker) shared = undefined;
  for (const id of [...worker.waiting.keys()]) {
    const error = new GranaryError("store-damaged", `The hashing thread is gone: ${reason}.`);
    take(worker, id)?.reject(error);
  }
}

/** Forgets the follower; the thread holds the process alive only while one is left. */
function take(worker: SharedWorker, id: number): Settle | undefined {
  const waiting = worker.waiting.get(id);
  worker.waiting.delete(id);
  if (worker.waiting.size === 0) worker.thread.unref();
  return waiting;
}
