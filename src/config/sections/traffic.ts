/** Owns the section `traffic` of the configuration: how long is kept what was pulled, and by whom. */
import { z } from "zod";
import { DEFAULT_RECORDS, type RecordSettings } from "../../records/retention.ts";
import { DURATION, duration } from "../units.ts";

export const trafficSection = z
  .strictObject({
    keep: duration.optional().describe(`How long sums by day and by month are kept: ${DURATION}, or 365d.`),
    clients: z
      .union([z.literal("off"), duration], { error: `expected off, or ${DURATION}` })
      .optional()
      .describe(`How long addresses of clients are kept; off: never at all: ${DURATION}, or 30d.`),
  })
  .describe("How long is kept what was pulled, and by whom.");

export function trafficSettings({ keep, clients }: z.infer<typeof trafficSection>): RecordSettings {
  return {
    keepMs: keep ?? DEFAULT_RECORDS.keepMs,
    clientsMs: clients === "off" ? 0 : (clients ?? DEFAULT_RECORDS.clientsMs),
  };
}
