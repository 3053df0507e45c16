/**
 * Owns the layers of one extraction while they cross the network: each is a Fill in a directory of its own, so that layers
 * come over several connections and ahead of the one that is being unpacked, and an interrupted extraction goes on from
 * what is there. It unpacks nothing. A Source that is local needs none of this.
 */
import { GranaryError, isGranaryError } from "../../errors.ts";
import { remove } from "../../files/disk.ts";
import type { Fill } from "../../fill/fill.ts";
import { Fills } from "../../fill/fills.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { Repository } from "../../oci/reference.ts";
import type { BlobReader, Source } from "../../source.ts";
import { openDiskBlobs } from "../../store/disk-blobs.ts";
import { openSpool } from "../../store/spool.ts";
import { type LockedLayout, prepareLayout } from "../../store/storage-directory.ts";
import { abortedError } from "../../waiting/abort.ts";
import { FETCH_POLICY } from "../fetching/fetch-policy.ts";
import type { VerbOptions } from "../fetching/progress.ts";
import { fetchSurroundings } from "../fetching/verb-fill.ts";

/** Layers that are fetched at the same time; each has lanes of its own. */
const AT_ONCE = 2;
/** How long `close` waits for fills to save how far they are. */
const CLOSE_MS = 10_000;

export type LayerSpoolOptions = Pick<VerbOptions, "signal" | "clock"> & {
  readonly source: Source;
  readonly repository: Repository;
  /** In the order in which they will be read. */
  readonly layers: readonly Descriptor[];
  /** Created when missing; one extraction may use it at a time. */
  readonly directory: string;
};

/**
 * Starts to fetch. Throws `config-invalid` when the directory cannot be used, or another extraction uses it.
 */
export async function openLayerSpool(options: LayerSpoolOptions): Promise<LayerSpool> {
  return new LayerSpool(options, await prepareLayout(options.directory));
}

export class LayerSpool {
  readonly #options: LayerSpoolOptions;
  readonly #layout: LockedLayout;
  readonly #fills: Fills;
  /** Opened with their fill, so that it does not end before its layer was read. */
  readonly #readers = new Map<number, BlobReader>();
  #running = 0;
  #started = 0;
  #isKept = true;
  #closing: Promise<void> | undefined;

  constructor(options: LayerSpoolOptions, layout: LockedLayout) {
    this.#options = options;
    this.#layout = layout;
    this.#fills = new Fills(fetchSurroundings(openSpool(layout), openDiskBlobs(layout), options.clock));
    this.#startMore();
  }

  /**
   * The reader of the layer at `index`, to be asked for once, in order. Its reads throw what a Source throws, and `aborted`
   * once the signal says so. The caller closes it.
   */
  open(index: number): BlobReader {
    while (this.#started <= index) this.#start(this.#started);
    const reader = this.#readers.get(index);
    if (reader === undefined) throw new GranaryError("closed", "The layer was opened before.");
    this.#readers.delete(index);
    return this.#told(reader);
  }

  /** Stops fetching and keeps what is there, for the next extraction to go on from. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** Stops fetching and removes everything. */
  async discard(): Promise<void> {
    this.#isKept = false;
    await this.close();
  }

  async #close(): Promise<void> {
    this.#started = this.#options.layers.length;
    await this.#fills.drain(CLOSE_MS);
    for (const reader of this.#readers.values()) reader.close();
    try {
      // While the directory is still ours: the next one may be waiting for it.
      if (!this.#isKept) await remove(this.#options.directory);
    } finally {
      await this.#layout.release();
    }
  }

  #startMore(): void {
    while (this.#running < AT_ONCE && this.#started < this.#options.layers.length) this.#start(this.#started);
  }

  #start(index: number): void {
    const { source, repository, layers } = this.#options;
    const layer = layers[index];
    if (layer === undefined) throw new GranaryError("range-unsatisfiable", `There is no layer ${index}.`);
    const { digest, size } = layer;
    const origin = source.origin(repository, digest);
    // A layer that comes twice is one fill, or one blob that the second fill finds.
    const fill = this.#fills.obtain({
      digest,
      upstream: repository.registry,
      size,
      origin,
      policy: FETCH_POLICY,
    });
    this.#readers.set(index, fill.reader());
    this.#started = Math.max(this.#started, index + 1);
    this.#running += 1;
    void this.#ended(fill);
  }

  /** Its failure is told to its reader. */
  async #ended(fill: Fill): Promise<void> {
    await fill.ended;
    this.#running -= 1;
    this.#startMore();
  }

  #told(reader: BlobReader): BlobReader {
    const { signal } = this.#options;
    return {
      async read(into) {
        try {
          return await reader.read(into);
        } catch (error) {
          throw signal?.aborted === true && isGranaryError(error, "closed") ? abortedError(signal) : error;
        }
      },
      close: () => reader.close(),
    };
  }
}
