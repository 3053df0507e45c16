/**
 * Owns the key `verify` of the configuration: when everything that is stored is verified as a job, with a report. Beside it `storage.verifyEvery`
 * goes on hashing each blob in the background, within its time.
 */
import { z } from "zod";
import { scheduleAt, scheduleText } from "./warm.ts";

export const verifySection = z
  .string()
  .min(1)
  .describe(
    `When everything that is stored is verified, and what is wrong is set aside and fetched anew: ${scheduleText}; never switches it off.`,
  );

/** undefined for never. Throws `config-invalid` with the nearest good schedule. */
export function verifySetting(written: string | undefined, now: number): string | undefined {
  return written === "never" ? undefined : scheduleAt("verify", written, now);
}
