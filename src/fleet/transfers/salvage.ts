/**
 * Owns what is left of a holder that did not finish: the parts that it had uploaded become an object of its own epoch, from which they are read
 * back, and its uploads end with that, should it still be alive (G13). Which parts these are is written beside the object, for whoever comes after a
 * successor that did not finish either. What is salvaged is not verified: the fill that uses it does that.
 */
import { type ByteRange, intersect, isEmpty, lengthOf } from "../../bytes/byte-range.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Bucket, OpenedObject, UploadPart } from "../bucket.ts";
import type { Left } from "../fleet.ts";
import { keysOf, objectKeyOf, partRange, partsKeyOf } from "../object-key.ts";
import { notedParts, noteParts } from "./salvage-note.ts";

/** One run of the blob's bytes, and where it lies in the salvaged object. */
type Run = ByteRange & { readonly at: number };

export class Salvage {
  readonly #objectKey: string;
  readonly #bucket: Bucket;
  readonly #runs: readonly Run[];

  private constructor(bucket: Bucket, objectKey: string, runs: readonly Run[]) {
    this.#bucket = bucket;
    this.#objectKey = objectKey;
    this.#runs = runs;
  }

  /** undefined when nothing was left, or somebody else has it. Throws `fleet-unavailable`. */
  static async of(digest: Digest, size: number, left: Left, bucket: Bucket): Promise<Salvage | undefined> {
    const { epoch, upload } = left;
    if (upload?.uploadId === undefined || upload.objectKey !== objectKeyOf(digest, epoch)) return undefined;
    const { objectKey, uploadId } = upload;
    const parts = await bucket.parts(objectKey, uploadId);
    const numbers = parts?.map(({ number }) => number) ?? [];
    const runs = runsOf(numbers, size);
    if (parts === undefined || runs === undefined || !parts.every((part) => isWhole(part, size)))
      return undefined;
    if (parts.length === 0) {
      await bucket.abort(objectKey, uploadId);
      return undefined;
    }
    if (!(await bucket.complete(objectKey, uploadId, parts))) return undefined;
    await noteParts(bucket, objectKey, numbers);
    return new Salvage(bucket, objectKey, runs);
  }

  /** What earlier successors have salvaged of a blob that is not whole yet. Throws `fleet-unavailable`. */
  static async before(digest: Digest, size: number, bucket: Bucket): Promise<readonly Salvage[]> {
    const sizes = new Map<string, number>();
    for await (const listed of bucket.list(keysOf(digest))) sizes.set(listed.key, listed.size);
    const found: Salvage[] = [];
    for (const [objectKey, length] of sizes) {
      if (!sizes.has(partsKeyOf(objectKey))) continue;
      const runs = runsOf(await notedParts(bucket, objectKey), size);
      const isSound = runs?.reduce((sum, run) => sum + lengthOf(run), 0) === length;
      if (runs !== undefined && isSound) found.push(new Salvage(bucket, objectKey, runs));
    }
    return found;
  }

  /** All that it keeps in the bucket. */
  get keys(): readonly string[] {
    return [this.#objectKey, partsKeyOf(this.#objectKey)];
  }

  /** Where the next run after `offset` begins; infinite where there is none. */
  nextStart(offset: number): number {
    return Math.min(...this.#runs.map(({ start }) => start).filter((start) => start > offset));
  }

  /** Bytes of the blob from `range.start` on, as far as one run goes; undefined where it has none there. `range` of the answer is of the blob. */
  async open(range: ByteRange, signal: AbortSignal): Promise<OpenedObject | undefined> {
    const run = this.#runs.find(({ start, end }) => start <= range.start && range.start < end);
    if (run === undefined) return undefined;
    const wanted = intersect(range, run);
    if (isEmpty(wanted)) return undefined;
    const moved = run.at - run.start;
    const inObject = { start: wanted.start + moved, end: wanted.end + moved };
    const opened = await this.#bucket.open(this.#objectKey, inObject, signal);
    if (opened === undefined) return undefined;
    const { start, end } = opened.range;
    return { ...opened, range: { start: start - moved, end: end - moved } };
  }
}

function isWhole({ number, size: length }: UploadPart, size: number): boolean {
  const range = rangeOfPart(number, size);
  return range !== undefined && lengthOf(range) === length;
}

/** Of the object that these parts make; undefined where one is none of this blob: somebody counted differently. */
function runsOf(numbers: readonly number[], size: number): readonly Run[] | undefined {
  const runs: Run[] = [];
  let at = 0;
  for (const number of [...new Set(numbers)].sort((a, b) => a - b)) {
    const range = rangeOfPart(number, size);
    if (range === undefined) return undefined;
    runs.push({ ...range, at });
    at += lengthOf(range);
  }
  return runs;
}

function rangeOfPart(number: number, size: number): ByteRange | undefined {
  try {
    return partRange(number, size);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}
