/**
 * Owns a whole answer as one text: status line, headers and body as Node's ServerResponse would write them to a connection that stays open. It
 * sends nothing, and never makes a text that Node would refuse to send.
 */
import { STATUS_CODES } from "node:http";
import type { HeaderList } from "./respond.ts";

/** How long an idle connection stays open, ms. Go keeps idle connections for 90 s (docs/protocol.md#connections): we must not close first. */
export const KEEP_ALIVE_MS = 95_000;

/** What a header may not hold: whoever gets it in one could write headers of his own (RFC 9110, 5.5). */
const NO_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

/** The answer at `now` (epoch ms), one character for each byte; undefined where a header has a value that no header may have. */
export function answerText(
  status: number,
  headers: HeaderList,
  body: string,
  now: number,
): string | undefined {
  if (headers.some((text) => NO_VALUE.test(text))) return undefined;
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`];
  for (let at = 0; at < headers.length; at += 2) lines.push(`${headers[at]}: ${headers[at + 1]}`);
  lines.push(`Date: ${new Date(now).toUTCString()}`, "Connection: keep-alive");
  lines.push(`Keep-Alive: timeout=${KEEP_ALIVE_MS / 1000}`, "", body);
  return lines.join("\r\n");
}
