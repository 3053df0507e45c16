/**
 * Owns pages and sums of rows as they will be once the waiting rows are written: the rows of the database, without those that a waiting row
 * replaces, together with the waiting ones, in one order. It writes nothing.
 */
import type { Digest } from "../oci/digest.ts";
import type { Manifest } from "../oci/manifest.ts";
import type { BlobRecord, Metadata } from "./metadata.ts";
import type { Sums } from "./sums.ts";
import type { Unwritten, Waiting } from "./unwritten.ts";

type Row = { readonly digest: Digest };
type Cursor = Pick<BlobRecord, "usedAt" | "digest">;

const byDigest = (a: Row, b: Row) => Number(a.digest > b.digest) - Number(a.digest < b.digest);
const byUse = (a: Cursor, b: Cursor) => a.usedAt - b.usedAt || byDigest(a, b);
const verifiedAtOf = ({ verifiedAt = 0 }: BlobRecord) => verifiedAt;

export class UnwrittenPages {
  readonly #waiting: Unwritten;
  /** What the database has of a row that waits; it does not change meanwhile. Bytes of a blob, 0 for a manifest, undefined for none. */
  readonly #written = new WeakMap<Waiting<unknown>, { readonly bytes: number | undefined }>();

  constructor(waiting: Unwritten) {
    this.#waiting = waiting;
  }

  async coldestBlobs(from: Metadata, limit: number, after?: Cursor): Promise<BlobRecord[]> {
    const { blobs, uses } = this.#waiting;
    const read = (last: BlobRecord | undefined) => from.coldestBlobs(limit, last ?? after);
    const written = await pageWithout(read, limit, ({ digest }) => blobs.has(digest) || uses.has(digest));
    const others = [...valuesOf(blobs).map((row) => this.#used(row)), ...(await this.#usedRows(from))];
    const following = others.filter((row) => after === undefined || byUse(row, after) > 0);
    return [...written, ...following].sort(byUse).slice(0, limit);
  }

  async blobsAfter(from: Metadata, after: string, limit: number): Promise<BlobRecord[]> {
    const { blobs } = this.#waiting;
    const read = (last: BlobRecord | undefined) => from.blobsAfter(last?.digest ?? after, limit);
    return (await pageByDigest(read, blobs, after, limit)).map((row) => this.#used(row));
  }

  async manifestsAfter(from: Metadata, after: string, limit: number): Promise<Manifest[]> {
    const { manifests } = this.#waiting;
    const read = (last: Manifest | undefined) => from.manifestsAfter(last?.digest ?? after, limit);
    return await pageByDigest(read, manifests, after, limit);
  }

  async blobsToVerify(from: Metadata, since: number, now: number, limit: number): Promise<BlobRecord[]> {
    const { blobs } = this.#waiting;
    const written = await from.blobsToVerify(since, now, limit + blobs.size);
    const isDue = (row: BlobRecord) => verifiedAtOf(row) < since || verifiedAtOf(row) > now;
    const due = [...written.filter(({ digest }) => !blobs.has(digest)), ...valuesOf(blobs).filter(isDue)];
    return due.sort((a, b) => verifiedAtOf(a) - verifiedAtOf(b) || byDigest(a, b)).slice(0, limit);
  }

  /** `written` changed by what waits; `from` is asked once for each row that waits. */
  async sums(from: Metadata, written: Sums): Promise<Sums> {
    let { blobs, bytes, manifests } = written;
    for (const [digest, waiting] of this.#waiting.blobs) {
      const before = await this.#writtenOf(waiting, async () => (await from.blob(digest))?.size);
      blobs += Number(waiting.value !== undefined) - Number(before !== undefined);
      bytes += (waiting.value?.size ?? 0) - (before ?? 0);
    }
    for (const [digest, waiting] of this.#waiting.manifests) {
      const before = await this.#writtenOf(waiting, async () => (await from.manifest(digest)) && 0);
      manifests += Number(waiting.value !== undefined) - Number(before !== undefined);
    }
    return { blobs: Math.max(0, blobs), bytes: Math.max(0, bytes), manifests: Math.max(0, manifests) };
  }

  async #writtenOf(
    waiting: Waiting<unknown>,
    read: () => Promise<number | undefined>,
  ): Promise<number | undefined> {
    const known = this.#written.get(waiting);
    if (known !== undefined) return known.bytes;
    const bytes = await read();
    this.#written.set(waiting, { bytes });
    return bytes;
  }

  /** Blobs that are written, but whose last uses wait. */
  async #usedRows(from: Metadata): Promise<BlobRecord[]> {
    const { blobs, uses } = this.#waiting;
    const rows: BlobRecord[] = [];
    for (const digest of uses.keys()) {
      const row = blobs.has(digest) ? undefined : await from.blob(digest);
      if (row !== undefined) rows.push(this.#used(row));
    }
    return rows;
  }

  #used(row: BlobRecord): BlobRecord {
    const usedAt = this.#waiting.uses.get(row.digest);
    return usedAt === undefined || usedAt < row.usedAt ? row : { ...row, usedAt };
  }
}

async function pageByDigest<R extends Row>(
  read: (last: R | undefined) => Promise<R[]>,
  waiting: ReadonlyMap<Digest, Waiting<R>>,
  after: string,
  limit: number,
): Promise<R[]> {
  const written = await pageWithout(read, limit, ({ digest }) => waiting.has(digest));
  const following = valuesOf(waiting).filter(({ digest }) => digest > after);
  return [...written, ...following].sort(byDigest).slice(0, limit);
}

/** At least `limit` rows that are not replaced, or all there are, over as many pages as that takes. */
async function pageWithout<R extends Row>(
  read: (last: R | undefined) => Promise<R[]>,
  limit: number,
  isReplaced: (row: R) => boolean,
): Promise<R[]> {
  const found: R[] = [];
  let last: R | undefined;
  for (;;) {
    const page = await read(last);
    found.push(...page.filter((row) => !isReplaced(row)));
    last = page.at(-1);
    if (found.length >= limit || page.length < limit) return found;
  }
}

function valuesOf<V>(waiting: ReadonlyMap<Digest, Waiting<V>>): V[] {
  return [...waiting.values()].flatMap(({ value }) => value ?? []);
}
