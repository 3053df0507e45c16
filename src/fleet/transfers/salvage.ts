/**
 * Owns what is left of a holder that did not finish: the parts that it had uploaded become an object of its own epoch, from which they are read
 * back, and its uploads end with that, should it still be alive (G13). What is salvaged is not verified: the fill that uses it does that.
 */
import { type ByteRange, intersect, isEmpty } from "../../bytes/byte-range.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Bucket, OpenedObject, UploadPart } from "../bucket.ts";
import type { Left } from "../fleet.ts";
import { objectKeyOf, partRange } from "../object-key.ts";

/** One run of the blob's bytes, and where it lies in the salvaged object. */
type Run = ByteRange & { readonly at: number };

export class Salvage {
  readonly objectKey: string;
  readonly #bucket: Bucket;
  readonly #runs: readonly Run[];

  private constructor(bucket: Bucket, objectKey: string, runs: readonly Run[]) {
    this.#bucket = bucket;
    this.objectKey = objectKey;
    this.#runs = runs;
  }

  /** undefined when nothing was left, or somebody else has it. Throws `fleet-unavailable`. */
  static async of(digest: Digest, size: number, left: Left, bucket: Bucket): Promise<Salvage | undefined> {
    const { epoch, upload } = left;
    if (upload?.uploadId === undefined || upload.objectKey !== objectKeyOf(digest, epoch)) return undefined;
    const { objectKey, uploadId } = upload;
    const parts = await bucket.parts(objectKey, uploadId);
    const runs = parts && runsOf(parts, size);
    if (parts === undefined || runs === undefined) return undefined;
    if (parts.length === 0) {
      await bucket.abort(objectKey, uploadId);
      return undefined;
    }
    const isDone = await bucket.complete(objectKey, uploadId, parts);
    return isDone ? new Salvage(bucket, objectKey, runs) : undefined;
  }

  /** The bytes from `offset` on that it has; empty where it has none there. */
  runAt(offset: number): ByteRange {
    const run = this.#runs.find(({ start, end }) => start <= offset && offset < end);
    return { start: offset, end: run?.end ?? offset };
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
    const opened = await this.#bucket.open(this.objectKey, inObject, signal);
    if (opened === undefined) return undefined;
    const { start, end } = opened.range;
    return { ...opened, range: { start: start - moved, end: end - moved } };
  }
}

/** undefined for parts that are none of this blob: somebody counted differently. */
function runsOf(parts: readonly UploadPart[], size: number): readonly Run[] | undefined {
  const runs: Run[] = [];
  let at = 0;
  for (const { number, size: length } of [...parts].sort((a, b) => a.number - b.number)) {
    const range = rangeOfPart(number, size);
    if (range === undefined || range.end - range.start !== length) return undefined;
    runs.push({ ...range, at });
    at += length;
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
