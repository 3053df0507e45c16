/**
 * Owns which characters may reach a terminal. Names and sentences of registries and archives can hold escape sequences and bidirectional
 * controls, which make a terminal show something false. They are written out as escapes instead. Pure.
 */

/** C0 without tab and newline, DEL, C1; marks, embeddings, overrides and isolates of direction; separators of lines and paragraphs. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: this expression is about them.
const COMMANDS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** `text` with its line breaks; "\u001b" stands in place of an escape. JSON keeps its value, because JSON has the same escapes. */
export function visibleText(text: string): string {
  return text.replace(COMMANDS, written);
}

/** The same on one line. */
export function visibleLine(text: string): string {
  return visibleText(text).replaceAll("\n", "\\n").replaceAll("\t", "\\t");
}

/** JSON whose texts, once parsed and printed, show such characters as escapes. */
export function legibleJson(json: string): string {
  // A doubled backslash is text; only what is left is an escape of JSON.
  const inside = json.replace(/\\(?:\\|u00[01][0-9a-f]|[bfr])/gi, (found) =>
    found === "\\\\" ? found : `\\${found}`,
  );
  return inside.replace(COMMANDS, (character) => `\\${written(character)}`);
}

function written(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}
