/**
 * Owns what comes near a name that was not found: names that contain it, and names that one slip of the finger away is. It is shown to people,
 * and nothing is ever done with it by itself. Pure.
 */

const MOST = 3;
/** Longer names are cut before they are compared: nobody mistypes a name of this length and wants to be helped. */
const MOST_LENGTH = 64;

/** Those of `names` that come nearest to `wanted`, best first, at most three; none where nothing is near. */
export function nearNames(wanted: string, names: Iterable<string>): string[] {
  const short = plain(wanted);
  if (short === "") return [];
  const found: { readonly name: string; readonly far: number }[] = [];
  for (const name of new Set(names)) {
    const far = farness(short, plain(name));
    if (far !== undefined) found.push({ name, far });
  }
  found.sort((a, b) => a.far - b.far || a.name.length - b.name.length || (a.name < b.name ? -1 : 1));
  return found.slice(0, MOST).map(({ name }) => name);
}

/** "; did you mean a, b or c?", or nothing. */
export function didYouMean(near: readonly string[]): string {
  const last = near.at(-1);
  if (last === undefined) return "";
  const first = near.slice(0, -1).join(", ");
  return ` Near to it: ${first === "" ? last : `${first} or ${last}`}.`;
}

/** Lower is nearer; undefined for what is not near. A name is as near as its nearest part. */
function farness(wanted: string, name: string): number | undefined {
  const parts = name.split("/");
  const ends = parts.map((_, index) => parts.slice(index).join("/"));
  const fars = ends.flatMap((end) => distanceOf(wanted, end) ?? []);
  return fars.length === 0 ? undefined : Math.min(...fars);
}

function distanceOf(wanted: string, name: string): number | undefined {
  if (name.startsWith(wanted) || wanted.startsWith(`${name}/`)) return 0.5;
  const slips = slipsBetween(wanted, name);
  if (slips <= Math.max(1, Math.floor(wanted.length / 4))) return slips;
  return wanted.length > 2 && name.includes(wanted) ? 1.5 : undefined;
}

/** Without tag, digest, stars and case. */
function plain(text: string): string {
  const bare = text.replace(/@.*$/s, "").replace(/:[^/:]*$/, "");
  return bare
    .replace(/\/?\*+\/?/g, "")
    .toLowerCase()
    .slice(0, MOST_LENGTH);
}

/** Characters that are left out, added, wrong, or two that changed places. */
function slipsBetween(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > a.length / 4 + 1) return Number.POSITIVE_INFINITY;
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const isSame = a[i - 1] === b[j - 1];
      const hasSwapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      const swapped = hasSwapped ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      const replaced = (above[j - 1] ?? 0) + (isSame ? 0 : 1);
      row.push(Math.min(replaced, (above[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, swapped));
    }
    before = above;
    above = row;
  }
  return above[b.length] ?? 0;
}
