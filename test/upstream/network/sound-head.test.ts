/** Shows which heads of answers are passed on untouched, and which are written anew. */
import { expect, it } from "vitest";
import { mendHead } from "../../../src/upstream/network/sound-head.ts";

const mended = (head: string, hasBody = true) => mendHead(Buffer.from(head, "latin1"), hasBody);

it.each([
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  odd   but legal \r\n\r\n",
  "HTTP/1.1 200\r\ntransfer-encoding: chunked\r\n\r\n",
  "HTTP/1.0 404 D\u00e9j\u00e0 vu\r\n\r\n",
])("a sound head is not touched: %j", (head) => {
  expect(mended(head)).toBeUndefined();
});

it.each([
  "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
  "HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n",
  "220 smtp.example ready\r\n\r\n",
])("one that contradicts itself, or is none, is left to the parser: %j", (head) => {
  expect(mended(head)).toBeUndefined();
});

it("without a body the length tells more than the coding, with one the coding decides", () => {
  const head = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n";
  expect(mended(head)?.bytes.toString()).toBe("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
  expect(mended(head, false)?.bytes.toString()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
});
