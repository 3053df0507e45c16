/**
 * Owns what a Fill begins with: the blob if the store has it already, else its partial. A stored blob is used only when its bytes are right
 * (F18). A damaged one is set aside, so that it can be fetched again.
 */
import { GranaryError, messageOf } from "../errors.ts";
import type { Log } from "../observe/log.ts";
import type { BlobStore, StoredBlob } from "../store/blob-store.ts";
import type { FillAsk, FillSurroundings } from "./fill-ask.ts";
import type { BlobFacts } from "./lane.ts";
import { OpenPartial } from "./open-partial.ts";
import type { Room } from "./room.ts";

/**
 * The store may have the blob although the caller did not find it there: another fill may have committed it in between (F9). Throws
 * `store-full`, `store-damaged`, `size-mismatch`.
 */
export async function openBytes(
  ask: FillAsk,
  room: Room,
  around: FillSurroundings,
): Promise<StoredBlob | OpenPartial> {
  const { digest, upstream, size } = ask;
  const { blobs, spool, clock, log, episodes } = around;
  const stored = await openSound(blobs, ask, log);
  if (stored !== undefined) return stored;
  const unsaved = (error: unknown) => {
    const facts = { digest, reason: messageOf(error) };
    episodes.trouble("checkpoints", facts, "a checkpoint could not be written");
  };
  const opened = await spool.openPartial({ digest, upstream }, size ?? 0);
  return new OpenPartial(opened, { clock, room, unsaved, isSized: size !== undefined });
}

/**
 * The stored blob, which the caller closes; undefined when there is none, or only a damaged one, which is then set aside. Throws
 * `store-damaged`, and `size-mismatch` when the bytes are right but the size is not `size`.
 */
async function openSound(
  blobs: BlobStore,
  { digest, size }: BlobFacts,
  log: Log,
): Promise<StoredBlob | undefined> {
  const stored = await blobs.open(digest);
  if (stored === undefined) return undefined;
  let isKept = false;
  try {
    if (stored.wasVerified || (await isRight(stored))) {
      checkSize(stored, size);
      isKept = true;
      return stored;
    }
  } finally {
    if (!isKept) await stored.close();
  }
  log.error({ digest }, "a stored blob is damaged: set aside, it is fetched again");
  await blobs.setAside(digest);
  return undefined;
}

async function isRight(stored: StoredBlob): Promise<boolean> {
  const verification = await stored.verify();
  verification.hurry();
  return await verification.verdict;
}

function checkSize({ digest, size }: StoredBlob, expected: number | undefined): void {
  if (expected === undefined || size === expected) return;
  const message = `${digest} has ${size} bytes, its descriptor says ${expected}.`;
  throw new GranaryError("size-mismatch", message, { expected, found: size, target: digest });
}
