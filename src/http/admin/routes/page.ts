/** Owns one page of a list that is in memory as a whole: `next` is the place where the next page begins. Pure. */
import { GranaryError } from "../../../errors.ts";

export function listPage<T>(
  items: readonly T[],
  limit: number,
  after: string | undefined,
): { items: T[]; next?: string } {
  const from = listPlace(after);
  const page = items.slice(from, from + limit);
  return from + limit < items.length ? { items: page, next: String(from + limit) } : { items: page };
}

/** A whole number that an earlier answer gave as its `next`; 0 without one. Throws `config-invalid`. */
export function listPlace(after: string | undefined, otherwise = 0, name = "after"): number {
  if (after === undefined) return otherwise;
  if (/^[0-9]{1,15}$/.test(after)) return Number(after);
  throw new GranaryError("config-invalid", `${name}: expected what an earlier answer gave for it.`);
}
