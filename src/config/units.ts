/** Owns how sizes and durations are written in the configuration: numbers with a unit. Every section that has one uses these. */
import { z } from "zod";
import { parseBytes, parseDuration } from "../bytes/units.ts";
import { isGranaryError } from "../errors.ts";

/** For descriptions: what people write. */
export const SIZE = "a size in bytes or with a unit, such as 512MiB or 200GiB";
export const DURATION = "a duration in milliseconds or with a unit, such as 500ms, 30s or 10m";

/** Bytes. */
export const size = unit(parseBytes, SIZE);
/** Milliseconds. */
export const duration = unit(parseDuration, DURATION);

function unit(parse: (text: string | number) => number, wanted: string) {
  return z
    .union([z.string(), z.number().nonnegative()], { error: `expected ${wanted}` })
    .transform((text, context) => {
      try {
        return parse(text);
      } catch (error) {
        if (!isGranaryError(error)) throw error;
        context.addIssue({ code: "custom", message: `expected ${wanted}` });
        return z.NEVER;
      }
    });
}
