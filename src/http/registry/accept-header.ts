/** Owns how an Accept header is read. Clients send the same one with each request, so each is read once. */
import { LRUCache } from "lru-cache";
import { mostEntries } from "../../waiting/expiry.ts";

const NOTHING: readonly string[] = [];
const REMEMBERED = 200;
/** Characters; longer ones are read each time. */
const LONGEST = 2_000;

const known = new LRUCache<string, readonly string[]>(mostEntries(REMEMBERED));

/**
 * The media types that an Accept header lists: lower case, without parameters; empty when there is no header. Order and q-values mean
 * nothing to a registry. The same list is given out again: nobody may change it.
 */
export function parseAccept(header: string | undefined): readonly string[] {
  if (header === undefined) return NOTHING;
  const found = known.get(header);
  if (found !== undefined) return found;
  const accept = readAccept(header);
  if (header.length <= LONGEST) known.set(header, accept);
  return accept;
}

function readAccept(header: string): readonly string[] {
  // ramalama sends the header's name once more in its value: "Accept: Accept: application/…" (docs/protocol.md#manifest-accept).
  const list = header.toLowerCase().replace(/^\s*accept\s*:/, "");
  return list.split(",").flatMap((entry) => {
    const [type = "", ...parameters] = entry.split(";").map((part) => part.trim());
    return type === "" || parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [type];
  });
}
