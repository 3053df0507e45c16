/**
 * Owns the reading of patterns that were stored in their canonical text. The upstream of one may have left the settings since: what it stands
 * for still lies here, so it still counts. Pure.
 */
import { isGranaryError } from "../errors.ts";
import { type NamePattern, parsePattern } from "./name-pattern.ts";
import type { RoutedUpstream } from "./routing.ts";

/** undefined for a text that is no pattern. */
export function storedPattern(text: string, upstreams: readonly RoutedUpstream[]): NamePattern | undefined {
  const name = text.slice(0, Math.max(0, text.indexOf("/"))).toLowerCase();
  const gone = (names: RoutedUpstream["names"]) => ({ name, aliases: [], names });
  for (const more of [[], [gone("oci")], [gone("ollama")]]) {
    try {
      return parsePattern(text, [...upstreams, ...more]);
    } catch (error) {
      if (!isGranaryError(error)) throw error;
    }
  }
  return undefined;
}
