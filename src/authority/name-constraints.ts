/**
 * Owns the bytes of a certificate's name constraints (RFC 5280, 4.2.1.10), which the certificate library cannot make: which names are permitted
 * and which are excluded, around names that it has encoded. Pure.
 */

/** Both lists hold encoded GeneralNames. */
export type NameConstraints = {
  readonly permitted: readonly Uint8Array[];
  readonly excluded: readonly Uint8Array[];
};

const SEQUENCE = 0x30;
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;

/** DER. A list without names is left out: an empty one is not allowed. */
export function encodeNameConstraints({ permitted, excluded }: NameConstraints): Uint8Array {
  const lists = [
    ...(permitted.length === 0 ? [] : [tagged(PERMITTED, permitted.map(subtree))]),
    ...(excluded.length === 0 ? [] : [tagged(EXCLUDED, excluded.map(subtree))]),
  ];
  return tagged(SEQUENCE, lists);
}

/** Of DER that was made here. Throws RangeError for what is cut short. */
export function decodeNameConstraints(der: Uint8Array): NameConstraints {
  const lists = partsOf(der).flatMap(({ content }) => partsOf(content));
  const namesIn = (wanted: number) =>
    lists
      .filter(({ tag }) => tag === wanted)
      .flatMap(({ content }) => partsOf(content))
      .flatMap(({ content }) => partsOf(content).map(({ whole }) => whole));
  return { permitted: namesIn(PERMITTED), excluded: namesIn(EXCLUDED) };
}

/** `minimum` is 0, which DER leaves out, and there is no `maximum`. */
function subtree(name: Uint8Array): Uint8Array {
  return tagged(SEQUENCE, [name]);
}

function tagged(tag: number, parts: readonly Uint8Array[]): Uint8Array {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from([tag, ...lengthOf(content.length)]), content]);
}

/** Up to 127 in one byte, else the number of bytes first. */
function lengthOf(length: number): number[] {
  if (length < 0x80) return [length];
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest = Math.floor(rest / 0x100)) bytes.unshift(rest % 0x100);
  return [0x80 | bytes.length, ...bytes];
}

type Part = { readonly tag: number; readonly content: Uint8Array; readonly whole: Uint8Array };

function partsOf(der: Uint8Array): Part[] {
  const bytes = Buffer.from(der);
  const parts: Part[] = [];
  for (let at = 0; at < bytes.length; ) {
    const first = bytes.readUInt8(at + 1);
    const more = first < 0x80 ? 0 : first & 0x7f;
    const length = more === 0 ? first : bytes.readUIntBE(at + 2, more);
    const [from, to] = [at + 2 + more, at + 2 + more + length];
    if (to > bytes.length) throw new RangeError("name constraints are cut short");
    parts.push({
      tag: bytes.readUInt8(at),
      content: bytes.subarray(from, to),
      whole: bytes.subarray(at, to),
    });
    at = to;
  }
  return parts;
}
