/**
 * Owns the path of response heads from a socket to undici's parser, which has no lenient mode: each head is read from the socket, repaired
 * where it breaks the rules, and passed on. Bodies are passed on unchanged and without a copy. It must never delay bytes that are not a head.
 */
import type { Socket } from "node:net";
import type { buildConnector } from "undici";
import { mendHead } from "./sound-head.ts";

/** Called for each answer that broke the rules: with the host, and what is wrong with what it sends. */
export type OnUnsound = (host: string, faults: readonly string[]) => void;

/** How a request begins that undici writes. */
const REQUEST = /^(GET|HEAD|POST) [^\r\n]* HTTP\/1\.1\r\n/;
const START = Buffer.from("HTTP/");
const INTERIM = /^HTTP\/1\.\d +1(?!01)\d\d/;

/** `connector`, with sockets that give undici correct heads. `limit` is the longest head in bytes; a longer one is left to the parser to refuse. */
export function mendedConnector(
  connector: buildConnector.connector,
  limit: number,
  onUnsound: OnUnsound,
): buildConnector.connector {
  return (options, callback) =>
    connector(options, (error, socket) => {
      if (error !== null) return callback(error, null);
      mendSocket(socket, limit, (faults) => onUnsound(options.host ?? options.hostname, faults));
      callback(null, socket);
    });
}

function mendSocket(socket: Socket, limit: number, onFaults: (faults: readonly string[]) => void): void {
  const read: (size?: number) => Buffer | null = socket.read.bind(socket);
  const { write } = socket;
  /** The method of a request whose answer has not begun. */
  let asked: string | undefined;
  let pending: Buffer = Buffer.alloc(0);

  const passOn = (): Buffer => {
    const bytes = pending;
    asked = undefined;
    pending = Buffer.alloc(0);
    return bytes;
  };

  const readMended = (size?: number): Buffer | null => {
    if (asked === undefined) return read(size);
    for (;;) {
      const chunk = read();
      if (chunk === null) return null;
      pending = pending.length === 0 ? chunk : Buffer.concat([pending, chunk]);
      pending = pending.subarray(startOf(pending));
      for (let end = endOfHead(pending); end !== undefined; end = endOfHead(pending)) {
        const head = pending.subarray(0, end);
        if (INTERIM.test(head.toString("latin1", 0, 16))) {
          // 100 and 103 come before the answer and are left out.
          pending = pending.subarray(end);
          continue;
        }
        const mended = mendHead(head, asked !== "HEAD");
        if (mended === undefined) return passOn();
        if (mended.faults.length > 0) onFaults(mended.faults);
        return Buffer.concat([mended.bytes, passOn().subarray(end)]);
      }
      if (pending.length > limit || !isStart(pending)) return passOn();
    }
  };

  const writeAsking = (...written: unknown[]): boolean => {
    const [chunk] = written;
    const method = typeof chunk === "string" ? REQUEST.exec(chunk)?.[1] : undefined;
    if (method !== undefined) asked = method;
    return Reflect.apply(write, socket, written);
  };

  Object.assign(socket, { read: readMended, write: writeAsking });
}

/** Empty lines before a head count for nothing (RFC 9112, 2.2). */
function startOf(bytes: Buffer): number {
  let at = 0;
  while (bytes[at] === 0x0d || bytes[at] === 0x0a) at += 1;
  return at;
}

/** False for anything that is not HTTP/1: then there is no head to wait for. */
function isStart(bytes: Buffer): boolean {
  const length = Math.min(bytes.length, START.length);
  return bytes.subarray(0, length).equals(START.subarray(0, length));
}

/** Where the empty line after a head ends; undefined while it has not come. */
function endOfHead(bytes: Buffer): number | undefined {
  if (!isStart(bytes)) return undefined;
  const found = [bytes.indexOf("\n\r\n"), bytes.indexOf("\n\n")];
  const ends = found.flatMap((at, index) => (at < 0 ? [] : [at + (index === 0 ? 3 : 2)]));
  return ends.length === 0 ? undefined : Math.min(...ends);
}
