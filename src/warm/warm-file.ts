/** Owns files of references: one a line, with comments. */
import { GranaryError, messageOf } from "../errors.ts";
import { parsePullName } from "../routing/pull-name.ts";
import type { RoutedUpstream } from "../routing/routing.ts";

/** The references in a file: one a line; empty lines and what follows a # are left out. Throws with the number of the line. */
export function referencesOf(file: string, upstreams: Iterable<RoutedUpstream>): string[] {
  const known = [...upstreams];
  return file.split(/\r?\n/).flatMap((line, index) => {
    const text = line.replace(/(^|\s)#.*$/, "").trim();
    if (text === "") return [];
    try {
      parsePullName(text, known);
      return [text];
    } catch (error) {
      throw new GranaryError("reference-invalid", `Line ${index + 1}: ${messageOf(error)}`, { cause: error });
    }
  });
}
