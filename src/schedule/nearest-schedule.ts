/** Owns the guess at what somebody meant who wrote a schedule that cannot be read. Pure: whether a guess can be used, the caller says. */

type Field = { readonly least: number; readonly most: number; readonly otherwise: string };

/** What stands in a field where nothing of it can be kept: at three in the night, every day. */
const FIELDS: readonly Field[] = [
  { least: 0, most: 59, otherwise: "0" },
  { least: 0, most: 23, otherwise: "3" },
  { least: 1, most: 31, otherwise: "*" },
  { least: 1, most: 12, otherwise: "*" },
  { least: 0, most: 7, otherwise: "*" },
];

const DAY_FIELD = 2;
const SURELY_GOOD = "0 3 * * *";

/** Where a word is nearest to what was written, as people say it: "every night". */
const SAID: readonly (readonly [RegExp, string])[] = [
  [/hour/i, "hourly"],
  [/night|dail|day/i, "daily"],
  [/week/i, "weekly"],
  [/month/i, "monthly"],
  [/year|annual/i, "yearly"],
];

/** The schedule that is nearest to `text` of those that `isGood` accepts. */
export function nearestTo(text: string, isGood: (candidate: string) => boolean): string {
  const parts = text.trim().split(/\s+/);
  const looksLikeFields = /^[\d*?/,\-@LW#]/i.test(parts[0] ?? "") && parts.length > 1;
  if (!looksLikeFields) {
    const word = SAID.find(([said]) => said.test(text))?.[1];
    if (word !== undefined) return word;
  }
  const mended = mendedFields(parts.length === 6 ? parts.slice(1) : parts, isGood);
  const lastDay = mended.map((field, index) => (index === DAY_FIELD ? "L" : field));
  return [mended.join(" "), lastDay.join(" "), SURELY_GOOD].find(isGood) ?? SURELY_GOOD;
}

/** Each field by itself: kept where it can be read, else the number in it, brought inside its limits. */
function mendedFields(parts: readonly string[], isGood: (candidate: string) => boolean): string[] {
  return FIELDS.map((field, index) => {
    const written = parts[index] ?? field.otherwise;
    const candidates = [written, shortName(written), clamped(written, field)];
    const alone = (value: string) => FIELDS.map((_, at) => (at === index ? value : "*")).join(" ");
    return candidates.find((value) => isGood(alone(value))) ?? field.otherwise;
  });
}

/** cron knows days and months by three letters. */
function shortName(written: string): string {
  return written.replaceAll(/[a-z]{4,}/gi, (name) => name.slice(0, 3));
}

function clamped(written: string, { least, most, otherwise }: Field): string {
  const [number] = /\d+/.exec(written) ?? [];
  if (number === undefined) return otherwise;
  const value = Math.min(most, Math.max(least, Number(number)));
  return written.startsWith("*/") ? `*/${Math.max(1, value)}` : String(value);
}
