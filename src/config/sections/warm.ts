/** Owns the section `warm` of the configuration: named lists of images and models, and when they are brought in. Each must be readable before anything starts. */
import { z } from "zod";
import { GranaryError, messageOf } from "../../errors.ts";
import { parsePlatform } from "../../oci/platform.ts";
import { parseSchedule } from "../../schedule/schedule.ts";
import { duration } from "../units.ts";

const platformsKey = z
  .array(z.string().min(1))
  .max(32)
  .describe("Platforms such as linux/amd64 or linux/arm/v7; all that an image has when left out.");

export const scheduleText =
  "cron's five fields in the time of this machine, such as 0 3 * * *, or hourly, daily, weekly, monthly, yearly";

const warmList = z.strictObject({
  references: z
    .array(z.string().min(1))
    .min(1)
    .max(5_000)
    .describe("Images and models, such as alpine:3.22, alpine:3.*, ghcr.io/org/app or ollama:llama3.2."),
  platforms: platformsKey.optional(),
  attestations: z
    .boolean()
    .optional()
    .describe("Also what builders attest about images, which clients do not pull."),
  schedule: z.string().min(1).optional().describe(`When it is brought in: ${scheduleText}.`),
  when: z
    .literal("moved")
    .optional()
    .describe("moved: whenever one of its tags moves, in place of a schedule."),
  every: duration
    .optional()
    .describe("With when: moved, how often the tags are asked for; at least a minute."),
});

export const warmSection = z
  .record(
    z
      .string()
      .regex(
        /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/,
        "expected a name of letters, digits, dots, dashes and underscores",
      ),
    warmList,
  )
  .describe("Lists of images and models by name, brought in before clients ask for them.");

export type WarmSetting = {
  readonly name: string;
  readonly references: readonly string[];
  readonly platforms: readonly string[];
  readonly attestations: boolean;
  /** One that can be read. */
  readonly schedule?: string;
  readonly movedEveryMs?: number;
};

/** Each tag is asked for no more often than its lifetime allows, whatever is said here. */
const DEFAULT_EVERY_MS = 15 * 60_000;
const LEAST_EVERY_MS = 60_000;

/** `check` throws for a reference that cannot be used. Throws `config-invalid` with the key of the first thing that cannot be read. */
export function warmSettings(
  written: z.infer<typeof warmSection>,
  check: (reference: string) => void,
  now: number,
): readonly WarmSetting[] {
  return Object.entries(written).map(([name, list]) => {
    const path = `warm.${name}`;
    const { references, platforms = [], attestations = false, when, every } = list;
    for (const [index, reference] of references.entries())
      at(`${path}.references.${index}`, () => check(reference));
    for (const [index, platform] of platforms.entries())
      at(`${path}.platforms.${index}`, () => parsePlatform(platform));
    if (list.schedule !== undefined && when !== undefined)
      throw invalid(`${path}: give either schedule or when, not both.`);
    if (every !== undefined && when === undefined) throw invalid(`${path}.every: it goes with when: moved.`);
    if (every !== undefined && every < LEAST_EVERY_MS) throw invalid(`${path}.every: expected at least 1m.`);
    const schedule = scheduleAt(`${path}.schedule`, list.schedule, now);
    const common = { name, references, platforms, attestations };
    if (schedule !== undefined) return { ...common, schedule };
    return when === undefined ? common : { ...common, movedEveryMs: every ?? DEFAULT_EVERY_MS };
  });
}

/** Throws `config-invalid` with the key, and the nearest good schedule. */
export function scheduleAt(key: string, text: string | undefined, now: number): string | undefined {
  return text === undefined ? undefined : at(key, () => parseSchedule(text, now).text);
}

function at<T>(key: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new GranaryError("config-invalid", `${key}: ${messageOf(error)}`, { cause: error });
  }
}

function invalid(message: string): GranaryError {
  return new GranaryError("config-invalid", message);
}
