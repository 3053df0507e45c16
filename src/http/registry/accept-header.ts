/** Owns the reading of Accept: which media types a client lists. Order and q-values mean nothing to a registry. Pure. */

/** Lower case, without parameters; empty when there is no header. */
export function parseAccept(header: string | undefined): string[] {
  if (header === undefined) return [];
  // ramalama sends the header's name once more in its value: "Accept: Accept: application/…" (docs/protocol.md#manifest-accept).
  const list = header.toLowerCase().replace(/^\s*accept\s*:/, "");
  return list.split(",").flatMap((entry) => {
    const [type = "", ...parameters] = entry.split(";").map((part) => part.trim());
    return type === "" || parameters.some((parameter) => /^q=0(\.0*)?$/.test(parameter)) ? [] : [type];
  });
}
