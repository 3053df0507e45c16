/**
 * Owns the small object beside a salvaged one that says of which parts of its blob that was made: so that it serves more than the successor who made
 * it. It goes with the salvaged object, and what it says is believed only as far as the sizes agree.
 */
import { isGranaryError } from "../../errors.ts";
import type { Bucket } from "../bucket.ts";
import { partsKeyOf } from "../object-key.ts";

/** Ten thousand numbers of five digits. */
const MOST_NOTE_BYTES = 65_536;
const NOTE_MS = 10_000;

/** Without it the parts serve this successor alone, so nothing waits for a bucket that does not answer. */
export async function noteParts(
  bucket: Bucket,
  objectKey: string,
  numbers: readonly number[],
): Promise<void> {
  try {
    await bucket.put(partsKeyOf(objectKey), Buffer.from(JSON.stringify(numbers)));
  } catch (error) {
    if (!isGranaryError(error, "fleet-unavailable")) throw error;
  }
}

/** The numbers of the parts of which the object was made; none where that is not told. Throws `fleet-unavailable`. */
export async function notedParts(bucket: Bucket, objectKey: string): Promise<readonly number[]> {
  const whole = { start: 0, end: MOST_NOTE_BYTES };
  const opened = await bucket.open(partsKeyOf(objectKey), whole, AbortSignal.timeout(NOTE_MS));
  if (opened === undefined) return [];
  const chunks: Uint8Array[] = [];
  for await (const chunk of opened.body) chunks.push(chunk);
  return numbersIn(Buffer.concat(chunks).toString("utf8"));
}

function numbersIn(text: string): readonly number[] {
  try {
    const numbers: unknown = JSON.parse(text);
    return Array.isArray(numbers) ? numbers.filter((number) => Number.isSafeInteger(number)) : [];
  } catch {
    return []; // Somebody else has written it.
  }
}
