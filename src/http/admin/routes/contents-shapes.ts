/** Owns what requests about contents have in common: patterns, sizes and durations as people write them, and bodies. */
import { z } from "@hono/zod-openapi";
import { parseBytes, parseDuration } from "../../../bytes/units.ts";
import { isGranaryError } from "../../../errors.ts";

export const pattern = z.string().min(1).max(800).openapi({
  description: "A name pattern, such as alpine:3.*, ghcr.io/org/**, ollama:llama3.2 or *@sha256:...",
  example: "alpine:3.*",
});

export function body<Shape extends z.ZodRawShape>(shape: Shape) {
  return { content: { "application/json": { schema: z.strictObject(shape) } }, required: true };
}

export function tried(dryRun: boolean): { readonly dryRun?: true } {
  return dryRun ? { dryRun } : {};
}
export function sizeText() {
  return withUnit(parseBytes, "a size in bytes or with a unit, such as 512MiB or 50GiB");
}

export function durationText() {
  return withUnit(parseDuration, "a duration, such as 12h or 90d");
}

/** A number as people write it: a text with a unit, or a plain number. */
function withUnit(parse: (text: string | number) => number, wanted: string) {
  return z.union([z.string(), z.number().nonnegative()]).transform((text, context) => {
    try {
      return parse(text);
    } catch (error) {
      if (!isGranaryError(error)) throw error;
      context.addIssue({ code: "custom", message: `expected ${wanted}` });
      return z.NEVER;
    }
  });
}
