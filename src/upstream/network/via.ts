/**
 * Owns how a Granary knows a request of its own when it comes back: each one that it sends to a registry says by whom it passed (Via, RFC 9110,
 * 7.6.3), under a name that no other process has. Pure, but for the making of that name.
 */
import { randomBytes } from "node:crypto";

/** The value of Via by which one running Granary is known. Several in a row have different ones. */
export function newVia(): string {
  return `1.1 granary-${randomBytes(8).toString("hex")}`;
}

/** Whether `value`, the Via header of a request, says that it passed by `own`. */
export function passedBy(own: string, value: string | undefined): boolean {
  return value?.split(",").some((each) => each.trim() === own) === true;
}

/** What to do about a registry whose name leads to this Granary itself; a clause. */
export const LOOP_REMEDY =
  "resolves to this Granary itself; name the DNS servers of the outside in `resolver`";
