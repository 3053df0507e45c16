/** Owns the section `keep` of the configuration: patterns of what is never evicted. Each must be readable before anything starts. */
import { z } from "zod";
import { GranaryError, isGranaryError } from "../../errors.ts";
import { type NamePattern, parsePattern } from "../../routing/name-pattern.ts";
import type { RoutedUpstream } from "../../routing/routing.ts";

export const keepSection = z
  .array(z.string().min(1))
  .max(1_000)
  .describe("Patterns of what is never evicted, such as alpine:3.*, ghcr.io/org/** or ollama:llama3.2.");

/** Throws `config-invalid` with the place of the first pattern that cannot be read. */
export function keepSettings(
  written: readonly string[],
  upstreams: readonly RoutedUpstream[],
): readonly NamePattern[] {
  return written.map((text, index) => {
    try {
      return parsePattern(text, upstreams);
    } catch (error) {
      if (!isGranaryError(error)) throw error;
      throw new GranaryError("config-invalid", `keep.${index}: ${error.message}`, { cause: error });
    }
  });
}
