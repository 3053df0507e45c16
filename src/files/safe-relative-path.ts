/**
 * Owns the check that a name from a stranger's manifest stays inside the directory it is meant for, on any system: an unsafe name
 * is refused, never turned into a safe one. Pure; what lies on the disk already (symbolic links) is the writer's to check.
 */

const MAX_BYTES = 4096;
const MAX_SEGMENT_BYTES = 255;
/** Control characters, and the backslash that separates directories on Windows: no tool that writes artifacts needs them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
const FORBIDDEN = /[\u0000-\u001f\u007f\\]/;

/**
 * Why `text` is no safe relative path, as the end of a sentence, or undefined when it is one: `/` between its segments, none
 * of them empty, "." or "..".
 */
export function unsafetyOf(text: string): string | undefined {
  if (text === "") return "is empty";
  if (FORBIDDEN.test(text)) return "has a backslash, a NUL or another control character in it";
  if (text.startsWith("/") || /^[A-Za-z]:/.test(text)) return "is absolute";
  if (Buffer.byteLength(text) > MAX_BYTES) return "is too long";
  for (const segment of text.split("/")) {
    if (segment === "..") return 'leads out of its directory with ".."';
    if (segment === "" || segment === ".") return "has an empty segment in it";
    if (Buffer.byteLength(segment) > MAX_SEGMENT_BYTES) return "has a segment that is too long in it";
  }
  return undefined;
}
