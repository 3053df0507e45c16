/**
 * Owns what may reach a terminal: names and sentences of registries and archives can hold characters that a terminal obeys (escape sequences)
 * or that turn text around (bidirectional controls), and both can make it show what is not so. They are written out instead. Pure.
 */

/** C0 without tab and newline, DEL, C1; marks, embeddings, overrides and isolates of direction; separators of lines and paragraphs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about.
const COMMANDS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** `text` over its lines; "\u001b" stands where an escape was. JSON stays JSON of the same value: that is how it writes them too. */
export function visibleText(text: string): string {
  return text.replace(COMMANDS, written);
}

/** The same on one line. */
export function visibleLine(text: string): string {
  return visibleText(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** JSON whose texts show what they held: for whoever prints them. */
export function legibleJson(json: string): string {
  // A backslash before one is text; only what is left over is an escape of JSON's.
  const inside = json.replace(/\\(?:\\|u00[01][0-9a-f]|[bfr])/gi, (found) =>
    found === "\\\\" ? found : `\\${found}`,
  );
  return inside.replace(COMMANDS, (character) => `\\${written(character)}`);
}

function written(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
