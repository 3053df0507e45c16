/** Owns which headers are of one connection and never passed on (RFC 9110, 7.6.1), and which belong to the proxy itself. Pure. */

const OWN = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "proxy-authenticate",
  "proxy-authorization",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/** `headers` (names and values in turn) without those of the connection, and without `alsoNot` (lower case). */
export function endToEnd(headers: readonly string[], alsoNot: readonly string[] = []): string[] {
  const left = new Set([...OWN, ...alsoNot, ...namedByConnection(headers)]);
  return headers.filter((_, index) => !left.has((headers[index - (index % 2)] ?? "").toLowerCase()));
}

function namedByConnection(headers: readonly string[]): string[] {
  return headers.flatMap((text, index) => {
    const isValue = index % 2 === 1 && headers[index - 1]?.toLowerCase() === "connection";
    return isValue ? text.split(",").map((each) => each.trim().toLowerCase()) : [];
  });
}
