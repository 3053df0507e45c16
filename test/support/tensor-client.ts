/**
 * Owns the stand-in for Ollama's tensor puller (MLX and safetensors models): hundreds of blobs, two GETs each, 64
 * workers, six attempts that are over in half a second. It ignores proxies, as the real one does.
 */
import { createHash } from "node:crypto";
import { open, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { drop, exchange } from "./ollama-client/http-exchange.ts";
import { noLogin, resolveTensor, type TensorLogin, tensorHeaders } from "./ollama-client/resolve-tensor.ts";
import { SpeedRecord } from "./ollama-client/speed-record.ts";
import { StallWatch } from "./ollama-client/stall-watch.ts";

export type TensorBlob = { readonly digest: string; readonly size: number };

export type TensorPull = {
  /** Base URL of the registry, without "/v2". */
  readonly registry: string;
  /** "namespace/model". */
  readonly repository: string;
  readonly blobs: readonly TensorBlob[];
  /** Where `sha256-<hex>.tmp` files of big blobs are kept for a resume. */
  readonly directory: string;
  /** Bodies at once: 64 until 0.23.2, then 4. */
  readonly slots?: number;
  /** Factor on the sleeps between two tries. */
  readonly timeScale?: number;
  /** Factor on the stall time: shortened, a busy machine passes it too. */
  readonly limitScale?: number;
  /** Blobs from this size resume; 64 MiB. */
  readonly resumeFrom?: number;
};

const WORKERS = 64;
const MOST_ATTEMPTS = 6;
const STALL = { ms: 10_000, beforeFirstByte: true };
const FREE_SLOW_TRIES = 2;

type Terms = Required<TensorPull> & { readonly login: TensorLogin; readonly speeds: SpeedRecord };

/** Pulls and checks every blob; throws the first failure. */
export async function pullTensors(pull: TensorPull): Promise<void> {
  const terms: Terms = {
    slots: WORKERS,
    timeScale: 1,
    limitScale: 1,
    resumeFrom: 64 * 2 ** 20,
    ...pull,
    login: noLogin(),
    speeds: new SpeedRecord(),
  };
  const queue = terms.blobs.values();
  const work = async () => {
    for (const blob of queue) await fetchWithRetries(blob, terms);
  };
  const workers = Math.min(WORKERS, terms.slots);
  await Promise.all(Array.from({ length: workers }, work));
}

async function fetchWithRetries(blob: TensorBlob, terms: Terms): Promise<void> {
  let last: unknown;
  let slow = 0;
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; ) {
    const watch = new StallWatch(STALL, terms.limitScale);
    try {
      await fetchOnce(blob, terms, watch);
      return;
    } catch (error) {
      last = error;
      const isFree = watch.stalled || (error instanceof TooSlow && slow++ < FREE_SLOW_TRIES);
      if (isFree) continue;
      await sleep(attempt ** 2 * 10 * terms.timeScale);
      attempt += 1;
    } finally {
      watch.close();
    }
  }
  throw new Error(`${blob.digest}: ${last instanceof Error ? last.message : last}`, { cause: last });
}

async function fetchOnce(blob: TensorBlob, terms: Terms, watch: StallWatch): Promise<void> {
  const blobUrl = new URL(`/v2/${terms.repository}/blobs/${blob.digest}`, terms.registry);
  const url = await resolveTensor(blobUrl, terms.login, watch.signal);
  const path = join(terms.directory, `${blob.digest.replace(":", "-")}.tmp`);
  const have = blob.size >= terms.resumeFrom ? await sizeOf(path) : 0;
  const headers = {
    ...(url.host === blobUrl.host ? tensorHeaders(terms.login) : { "user-agent": "ollama-transfer/1.0" }),
    ...(have > 0 && { range: `bytes=${have}-` }),
  };
  const answer = await exchange(url, { headers, signal: watch.signal });
  if (answer.status !== 200 && answer.status !== 206) {
    drop(answer);
    throw new Error(`status ${answer.status}`);
  }
  await receive(path, answer.status === 206 ? have : 0, answer.body, terms, watch);
  await check(blob, path);
}

/** The body into the file from `start` on; a restart (200) truncates it. */
async function receive(
  path: string,
  start: number,
  body: AsyncIterable<Buffer>,
  terms: Terms,
  watch: StallWatch,
): Promise<void> {
  const begunAt = performance.now();
  const file = await open(path, start === 0 ? "w" : "r+");
  let at = start;
  try {
    for await (const chunk of body) {
      watch.sawByte();
      await file.write(chunk, 0, chunk.length, at);
      at += chunk.length;
      if (terms.speeds.isTooSlow(at - start, performance.now() - begunAt)) throw new TooSlow("too slow");
    }
  } finally {
    await file.close();
  }
  terms.speeds.record(at - start, performance.now() - begunAt);
}

async function check({ digest, size }: TensorBlob, path: string): Promise<void> {
  const file = await open(path, "r");
  const hash = createHash("sha256");
  const found = await sizeOf(path);
  for await (const chunk of file.createReadStream()) hash.update(chunk as Buffer);
  await rm(path);
  if (found !== size) throw new Error(`size mismatch: want ${size}, got ${found}`);
  if (`sha256:${hash.digest("hex")}` !== digest) throw new Error("digest mismatch");
}

function sizeOf(path: string): Promise<number> {
  return stat(path).then(
    ({ size }) => size,
    () => 0,
  );
}

class TooSlow extends Error {}
