/**
 * Owns how a text with `*` in it matches another: within one part of a name, and over whole parts with `**`. Both take time that grows with
 * the product of the two lengths at most, whatever somebody invents (no regular expression is made of it). Pure.
 */

/** True when `text` is what `glob` stands for; `*` stands for any number of characters, also none. */
export function globMatches(glob: string, text: string): boolean {
  if (!glob.includes("*")) return glob === text;
  return starMatches([...glob], [...text], "*", (a, b) => a === b);
}

/**
 * The same over names with slashes: `*` stays within one part, `**` as a whole part stands for any number of parts; at the end, for at least
 * one: `org/**` is everything in `org`, and not `org` itself.
 */
export function pathMatches(glob: string, path: string): boolean {
  if (!glob.includes("*")) return glob === path;
  const parts = glob.split("/");
  if (parts.at(-1) === "**") parts.splice(-1, 0, "*");
  return starMatches(parts, path.split("/"), "**", globMatches);
}

/** The well-known walk with one mark: after a mismatch the last star takes one more item, and no earlier one needs to be tried again. */
function starMatches(
  glob: readonly string[],
  items: readonly string[],
  star: string,
  matchesOne: (glob: string, item: string) => boolean,
): boolean {
  let at = 0;
  let taken: { readonly glob: number; item: number } | undefined;
  for (let item = 0; item < items.length; ) {
    const part = glob[at];
    if (part === star) {
      taken = { glob: ++at, item };
    } else if (part !== undefined && matchesOne(part, items[item] ?? "")) {
      at++;
      item++;
    } else if (taken === undefined) {
      return false;
    } else {
      at = taken.glob;
      item = ++taken.item;
    }
  }
  return glob.slice(at).every((part) => part === star);
}

/** True when there is a text that both globs stand for. */
export function globsMeet(one: string, other: string): boolean {
  if (!one.includes("*")) return globMatches(other, one);
  if (!other.includes("*")) return globMatches(one, other);
  return walksMeet([...one], [...other], "*", (a, b) => a === b);
}

/** The same over names with slashes. */
export function pathsMeet(one: string, other: string): boolean {
  if (!one.includes("*")) return pathMatches(other, one);
  if (!other.includes("*")) return pathMatches(one, other);
  return walksMeet(partsOf(one), partsOf(other), "**", globsMeet);
}

function partsOf(glob: string): string[] {
  const parts = glob.split("/");
  if (parts.at(-1) === "**") parts.splice(-1, 0, "*");
  return parts;
}

/** Row by row: whether what is left of both from here on can be the same. */
function walksMeet(
  one: readonly string[],
  other: readonly string[],
  star: string,
  meetsOne: (a: string, b: string) => boolean,
): boolean {
  let below: boolean[] = [];
  for (let i = one.length; i >= 0; i--) {
    const row: boolean[] = [];
    for (let j = other.length; j >= 0; j--) {
      const [a, b] = [one[i], other[j]];
      if (a === undefined && b === undefined) row[j] = true;
      else if (a === star) row[j] = below[j] === true || (b !== undefined && row[j + 1] === true);
      else if (b === star) row[j] = row[j + 1] === true || (a !== undefined && below[j] === true);
      else row[j] = a !== undefined && b !== undefined && below[j + 1] === true && meetsOne(a, b);
    }
    below = row;
  }
  return below[0] === true;
}
