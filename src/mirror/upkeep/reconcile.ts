/**
 * Owns how rows are brought in line with the files on the disk, at a start and after somebody removed files under us. A blob without a row
 * gets one (the database was lost, or a crash came between the rename and the row); a row without a blob is deleted; a blob whose size is
 * not that of its row is set aside. Nothing is hashed: a blob that gets its row here counts as not verified.
 *
 * A small store is finished before anybody is served. Of a large one only the first part is; the rest goes on in the background. Nothing
 * wrong can be served meanwhile: a blob without a row is hashed before it is served, one of the wrong size is set aside when it is opened,
 * one that is gone is fetched. A failing disk does not stop the start: what can be read is put right, and the failure is reported.
 */
import { isGranaryError, messageOf } from "../../errors.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { Episodes } from "../../observe/episodes.ts";
import type { Log } from "../../observe/log.ts";
import type { Trouble } from "../../observe/troubles.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Spool } from "../../store/partial.ts";
import type { Pins } from "../space/pins.ts";
import type { Space } from "../space/space.ts";
import { type Item, inventory } from "./inventory.ts";
import type { SoundBlobs } from "./sound-blobs.ts";

export type ReconciliationParts = {
  readonly metadata: Metadata;
  readonly blobs: BlobStore;
  readonly spool: Spool;
  readonly sound: SoundBlobs;
  readonly space: Space;
  readonly pins: Pins;
  readonly log: Log;
  /** Hears of `reconcile`, and when it is over. */
  readonly troubles: Episodes<Trouble>;
};

/** So many blobs are compared before anybody is served: that takes a few tenths of a second on a slow disk. */
const FIRST = 512;
/** Blobs that are put right in parallel. */
const AT_ONCE = 64;

type Run = { isStopped: boolean };

/** What one run has found and put right. */
type Tally = {
  registered: number;
  forgotten: number;
  readonly strangers: string[];
  readonly reasons: string[];
};

export class Reconciliation {
  readonly #parts: ReconciliationParts;
  #run: Run = { isStopped: true };
  #ended: Promise<unknown> = Promise.resolve();

  constructor(parts: ReconciliationParts) {
    this.#parts = parts;
  }

  /**
   * Compares everything; a comparison that is running is ended first. Resolves after all of a small store, or the first part of a large one;
   * the rest goes on in the background. Throws only `closed`.
   */
  async begin(): Promise<void> {
    this.#run.isStopped = true;
    const run = { isStopped: false };
    this.#run = run;
    const begun = Promise.withResolvers<void>();
    const running = this.#ended.then(() => this.#reconcile(run, begun.resolve));
    this.#ended = running.then(begun.resolve, begun.reject);
    await begun.promise;
  }

  /** Ends what goes on in the background. Idempotent. */
  async stop(): Promise<void> {
    this.#run.isStopped = true;
    await this.#ended;
  }

  async #reconcile(run: Run, begun: () => void): Promise<void> {
    const tally: Tally = { registered: 0, forgotten: 0, strangers: [], reasons: [] };
    await this.#unlessFailed(tally, () => this.#countPartials());
    await this.#unlessFailed(tally, () => this.#reconcileBlobs(run, tally, begun));
    if (!run.isStopped) this.#tell(tally);
  }

  /** Notes a failure of the disk; after `closed` nothing goes on. */
  async #unlessFailed({ reasons }: Tally, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      if (isGranaryError(error, "closed")) throw error;
      reasons.push(messageOf(error));
    }
  }

  async #reconcileBlobs(run: Run, tally: Tally, begun: () => void): Promise<void> {
    const { metadata, space } = this.#parts;
    const { blobs: known } = await metadata.sums();
    let looked = 0;
    let counted = () => {};
    try {
      const listening = {
        onStranger: (path: string) => tally.strangers.push(path),
        onFailure: (error: unknown) => tally.reasons.push(messageOf(error)),
      };
      for await (const items of groupsOf(inventory(this.#parts, listening), AT_ONCE)) {
        if (run.isStopped) return;
        await this.#agree(items, tally);
        looked += items.length;
        if (looked !== FIRST) continue;
        // The database was lost: nobody knows yet how much is stored.
        if (known === 0) counted = this.#waitForCount();
        begun();
      }
      // Until now the budget was kept without these.
      if (looked > FIRST && tally.registered > 0) await space.trim();
    } finally {
      counted();
    }
  }

  #waitForCount(): () => void {
    const { space, log } = this.#parts;
    const resume = space.waitForCount();
    log.warn(
      "the database does not know the blobs that are stored: new ones are passed through until all are counted",
    );
    return () => {
      resume();
      log.info("all stored blobs are counted: new ones are stored again");
    };
  }

  async #agree(items: readonly Item[], tally: Tally): Promise<void> {
    const withoutFile = items.filter(({ file }) => file === undefined).map(({ digest }) => digest);
    if (withoutFile.length > 0) tally.forgotten += await this.#parts.sound.forgetAbsent(withoutFile);
    await Promise.all(items.map((item) => this.#agreeOn(item, tally)));
  }

  async #agreeOn({ digest, row, file }: Item, tally: Tally): Promise<void> {
    if (file === undefined) return;
    if (row === undefined) await this.#register(file, tally);
    else if (row.size !== file.size)
      await this.#parts.sound.drop(digest, `it has ${file.size} bytes and should have ${row.size}`);
  }

  async #register({ digest, size, changedAt }: NonNullable<Item["file"]>, tally: Tally): Promise<void> {
    const { metadata, blobs, pins } = this.#parts;
    if ((await metadata.blob(digest)) !== undefined || (await blobs.stat(digest)) === undefined) return;
    // A fill records its own row, and a blob that is being evicted must not get one.
    if (pins.isFilled(digest) || pins.isLeaving(digest)) return;
    await metadata.recordBlob({ digest, size, usedAt: changedAt });
    tally.registered += 1;
  }

  /**
   * Counts the partials. One without a byte in its map cannot be resumed, and may be large after a crash: it is deleted. So are those of an
   * older Granary, which did not write down from which upstream the bytes came.
   */
  async #countPartials(): Promise<void> {
    const { spool, space, log } = this.#parts;
    const { revision } = space;
    const saved = await spool.list();
    const useless = saved.filter(({ present, upstream }) => present === 0 || upstream === undefined);
    space.countPartials(
      saved.filter((partial) => !useless.includes(partial)),
      revision,
    );
    const reasons: string[] = [];
    for (const partial of useless)
      await spool.remove(partial).catch((error: unknown) => reasons.push(messageOf(error)));
    const ownerless = useless.filter(({ upstream }) => upstream === undefined).length;
    if (ownerless > 0)
      log.info(
        { removed: ownerless },
        "partial blobs of an older Granary were removed: it is not known from which upstream their bytes came",
      );
    if (reasons[0] !== undefined) throw new Error(reasons[0]);
  }

  #tell({ registered, forgotten, strangers, reasons }: Tally): void {
    const { log, troubles } = this.#parts;
    if (registered > 0 || forgotten > 0)
      log.info(
        { unverified: registered, forgotten },
        "the database was brought in line with the files on the disk: blobs that it did not know are hashed before they are served",
      );
    // Granary follows no link and opens nothing that is not named by a digest.
    if (strangers.length > 0)
      log.warn(
        { count: strangers.length, first: strangers[0] },
        "files that are no blobs lie among the blobs: they are left alone and not counted",
      );
    const text = `Not all that lies in the store could be looked at (${reasons.join(" ")}): see to the disk, and that granary may read and write there, then restart it.`;
    if (reasons.length === 0) troubles.over("reconcile");
    else troubles.trouble("reconcile", {}, text);
  }
}

async function* groupsOf<T>(items: AsyncIterable<T>, size: number): AsyncGenerator<T[]> {
  let group: T[] = [];
  for await (const item of items) {
    group.push(item);
    if (group.length < size) continue;
    yield group;
    group = [];
  }
  if (group.length > 0) yield group;
}
