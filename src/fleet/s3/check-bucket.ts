/** Owns the proof that a bucket does what a fleet needs of it, by one small object that is gone afterwards. It judges nothing but what it reads back. */
import { randomBytes } from "node:crypto";
import { GranaryError } from "../../errors.ts";
import type { Bucket } from "../bucket.ts";
import { CHECK_KEYS } from "../object-key.ts";

/**
 * Writes, looks for, reads, lists and deletes an object. Throws `fleet-unavailable` with what failed. `where` names the bucket, for messages.
 */
export async function checkBucket(bucket: Bucket, where: string): Promise<void> {
  const bytes = randomBytes(64);
  const key = `${CHECK_KEYS}${bytes.toString("hex", 0, 16)}`;
  await bucket.put(key, bytes);
  try {
    await look(bucket, key, bytes, where);
  } finally {
    await bucket.remove([key]);
  }
  if ((await bucket.head(key)) !== undefined) throw unfit(where, "an object that was deleted is still there");
}

async function look(bucket: Bucket, key: string, bytes: Buffer, where: string): Promise<void> {
  const found = await bucket.head(key);
  if (found?.size !== bytes.length)
    throw unfit(where, "an object that was just written is not there as it was written");
  const middle = { start: 16, end: 48 };
  const opened = await bucket.open(key, middle, new AbortController().signal);
  const parts: Uint8Array[] = [];
  if (opened !== undefined) for await (const part of opened.body) parts.push(part);
  if (!Buffer.concat(parts).equals(bytes.subarray(middle.start, middle.end))) {
    throw unfit(where, "a part of an object that was just written reads back otherwise");
  }
  for await (const listed of bucket.list(key)) {
    if (listed.key === key && listed.size === bytes.length) return;
  }
  throw unfit(where, "an object that was just written is not listed");
}

function unfit(where: string, what: string): GranaryError {
  const message = `The bucket ${where} cannot be used by a fleet: ${what}; use a store that is consistent at once.`;
  const reason = "the fleet's bucket does not keep what it is given";
  return new GranaryError("fleet-unavailable", message, { reason, saysWhatToDo: true });
}
