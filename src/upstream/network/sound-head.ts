/**
 * Owns the repair of response heads that break the rules of HTTP in ways that other clients accept: such a head is written again in the
 * correct form, and its faults are named. It changes no correct head, and never guesses where a body ends: lengths that contradict each
 * other are left to the parser to refuse. Pure.
 */

export type MendedHead = {
  readonly bytes: Buffer;
  /** In words that can follow "sends". Empty when the head follows the rules, and only the parser is stricter. */
  readonly faults: readonly string[];
};

const LINE = String.raw`[!#$%&'*+.^_\x60|~0-9A-Za-z-]+:[^\r\n\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*\r\n`;
const SOUND = new RegExp(`^HTTP/1\\.[01] \\d{3}(?: [^\\r\\n]*)?\\r\\n(?:${LINE})*\\r\\n$`);
const STATUS = /^HTTP\/\d(?:\.\d)? +(\d{3})(?: ?(.*))?$/;
const NAME = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: the expression is there to find them.
const CONTROLS = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g;

type Field = { readonly name: string; readonly value: string };
type Faults = Set<string>;

/**
 * The repaired form of `head`, which includes its empty line; `hasBody` is false for the answer to a HEAD. undefined when it is to be passed
 * on as it is: it is correct, or it cannot be repaired.
 */
export function mendHead(head: Buffer, hasBody: boolean): MendedHead | undefined {
  const text = head.toString("latin1");
  if (isPlain(text) && SOUND.test(text)) return undefined;
  const faults: Faults = new Set();
  const [status = "", ...lines] = linesOf(text, faults);
  const [, code, reason = ""] = STATUS.exec(status) ?? [];
  if (code === undefined) return undefined;
  const fields = framed(
    lines.flatMap((line) => fieldOf(line, faults)),
    hasBody,
    faults,
  );
  if (fields === undefined) return undefined;
  const version = status.startsWith("HTTP/1.0") ? "HTTP/1.0" : "HTTP/1.1";
  if (!/^HTTP\/1\.[01] /.test(status)) faults.add("another version of HTTP than was asked for");
  const said = fields.map(({ name, value }) => `${name}: ${value}\r\n`).join("");
  const bytes = Buffer.from(`${version} ${code} ${reason}\r\n${said}\r\n`, "latin1");
  return { bytes, faults: [...faults] };
}

/** True when at most one header says where the body ends, in the form that every parser accepts. */
function isPlain(text: string): boolean {
  const said = text.match(/^(?:content-length|transfer-encoding)[^:\n]*:.*$/gim) ?? [];
  return said.length <= 1 && said.every((line) => /: ?(?:\d+|chunked)\r?$/i.test(line));
}

/** The lines without their line ends; folded ones are joined (RFC 9112, 5.2). */
function linesOf(text: string, faults: Faults): string[] {
  if (/(?:^|[^\r])\n/.test(text)) faults.add("lines that end without a carriage return");
  const lines: string[] = [];
  for (const line of text.split(/\r?\n/)) {
    if (line === "") continue;
    const last = lines.at(-1);
    if (last === undefined || lines.length === 1 || !/^[ \t]/.test(line)) lines.push(line);
    else {
      faults.add("folded header lines");
      lines[lines.length - 1] = `${last} ${line.trim()}`;
    }
  }
  return lines;
}

/** A line that is not a header is left out: nothing that we need could be in it. */
function fieldOf(line: string, faults: Faults): Field[] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(0, colon)).trimEnd();
  if (!NAME.test(name)) {
    faults.add("a line that is not a header");
    return [];
  }
  if (name.length !== colon) faults.add("a space after a header's name");
  const value = line.slice(colon + 1);
  const plain = value.replace(CONTROLS, " ");
  if (plain !== value) faults.add("control characters in a header");
  return [{ name, value: plain.trim() }];
}

/**
 * The fields with one statement on where the body ends (RFC 9112, 6.3): chunked counts before a length, and equal lengths count once. In the
 * answer to a HEAD the length is kept, because it is what was asked for. undefined when the lengths contradict each other.
 */
function framed(fields: readonly Field[], hasBody: boolean, faults: Faults): Field[] | undefined {
  const named = (wanted: string) => fields.filter(({ name }) => name.toLowerCase() === wanted);
  const lengths = named("content-length").flatMap(({ value }) => value.split(",").map((one) => one.trim()));
  const codings = named("transfer-encoding").filter(({ value }) => value.toLowerCase() !== "identity");
  const [length = ""] = lengths;
  const isOne = lengths.every((other) => other === length);
  if (lengths.length > 0 && codings.length > 0) faults.add("Content-Length beside Transfer-Encoding");
  else if (lengths.length > 0 && !isOne) return undefined;
  if (lengths.length > 1 && isOne) faults.add("Content-Length more than once");
  if (lengths.length > 0 && length === "") faults.add("an empty Content-Length");
  const isChunked = codings.length > 0 && (hasBody || !isOne || length === "");
  const rest = fields.filter(({ name }) => !/^(?:content-length|transfer-encoding)$/i.test(name));
  if (isChunked) return [...rest, ...codings];
  return length === "" ? rest : [...rest, { name: "Content-Length", value: length }];
}
