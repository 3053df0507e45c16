/**
 * Owns what was left out of an extraction without failing it, as sentences: a few examples and the count of each kind, however
 * many there are.
 */

export type WarningKind =
  | "special"
  | "privileges"
  | "attributes"
  | "encoding"
  | "bookkeeping"
  | "dangling"
  | "endless";

const SENTENCES: Record<WarningKind, string> = {
  special: "Devices and pipes were left out",
  privileges:
    "Setuid, setgid and sticky bits were left out; keepSpecialBits (--keep-special-bits) keeps them",
  attributes: "Extended attributes were not restored, such as file capabilities",
  encoding: 'Names that are not UTF-8 were written with "\uFFFD" in place of the bytes that are not',
  bookkeeping: "Bookkeeping entries of aufs were left out",
  dangling: "Symbolic links to nothing were left out, because this file system takes no links",
  endless: "Symbolic links to a directory above them were left out, because this file system takes no links",
};
const EXAMPLES = 3;
const LONGEST = 200;

export class Warnings {
  readonly #seen = new Map<WarningKind, { count: number; readonly examples: string[] }>();

  add(kind: WarningKind, name: string): void {
    const seen = this.#seen.get(kind) ?? { count: 0, examples: [] };
    this.#seen.set(kind, seen);
    seen.count++;
    if (seen.examples.length < EXAMPLES) seen.examples.push(name.slice(0, LONGEST));
  }

  /** One sentence for each kind. */
  list(): string[] {
    return [...this.#seen].map(([kind, { count, examples }]) => {
      const more = count > examples.length ? ", …" : "";
      return `${SENTENCES[kind]} (${count}): ${examples.join(", ")}${more}.`;
    });
  }
}
