/**
 * Owns how one answer of a fake registry goes over the wire: at what pace, and with which fault. Content decides
 * what the bytes are; this file decides only whether, when and how many of them arrive.
 */
import type { OutgoingHttpHeaders, ServerResponse } from "node:http";
import type { RequestRecord } from "./account.ts";
import { type BlobContent, contentOfBytes } from "./contents.ts";
import type { Fault } from "./faults.ts";
import { sendRaw } from "./send-raw.ts";

export type Reply = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: { readonly content: BlobContent; readonly start: number; readonly end: number };
};

export type Pace = {
  /** Bytes per second of this connection. */
  readonly bandwidth: number | undefined;
  /** Resolves after a time; rejects never. */
  readonly sleep: (ms: number) => Promise<void>;
};

const CHUNK = 256 * 1024;
const FOREVER = 2 ** 50;

export function textReply(status: number, text: string, headers: Record<string, string>): Reply {
  const bytes = Buffer.from(text);
  return bytesReply(status, bytes, headers);
}

export function bytesReply(status: number, bytes: Uint8Array, headers: Record<string, string>): Reply {
  return {
    status,
    headers: { "content-length": String(bytes.length), ...headers },
    body: { content: contentOfBytes(bytes), start: 0, end: bytes.length },
  };
}

/** Sends `reply` as `fault` spoils it. Resolves when the answer is over or the connection is gone. */
export async function sendReply(
  response: ServerResponse,
  record: RequestRecord,
  reply: Reply,
  fault: Fault | undefined,
  pace: Pace,
): Promise<void> {
  record.status = reply.status;
  if (fault?.kind === "raw") return await sendRaw(response, record, reply, fault);
  response.writeHead(reply.status, spoiledHeaders(reply, fault));
  response.flushHeaders();
  const body = reply.body;
  if (record.method === "HEAD" || body === undefined) return endCleanly(response);
  const sent = await sendBytes(response, record, body, fault, pace);
  const isWhole = fault?.kind === "stall" && fault.afterBytes >= body.end - body.start;
  if (sent) await endBody(response, isWhole ? undefined : fault);
}

function spoiledHeaders({ headers, body }: Reply, fault: Fault | undefined): OutgoingHttpHeaders {
  const length = body === undefined ? 0 : body.end - body.start;
  const spoiled: Record<string, string | string[] | null> = { ...headers };
  if (fault?.kind === "headers") Object.assign(spoiled, fault.headers);
  if (fault?.kind === "gzip") spoiled["content-encoding"] = "gzip";
  if (fault?.kind === "big-headers") Object.assign(spoiled, filler(fault.bytes));
  if (fault?.kind === "endless") spoiled["content-length"] = null;
  if (fault?.kind === "short" || fault?.kind === "extra") {
    const change = fault.kind === "extra" ? length + fault.bytes : Math.min(fault.afterBytes, length);
    if (fault.framing === "chunked") spoiled["content-length"] = null;
    else if (fault.framing !== "fin") spoiled["content-length"] = String(change);
  }
  return Object.fromEntries(
    Object.entries(spoiled).flatMap(([name, value]) => (value === null ? [] : [[name, value]])),
  );
}

function filler(bytes: number): Record<string, string> {
  const lines = Math.ceil(bytes / 4096);
  return Object.fromEntries(
    Array.from({ length: lines }, (_, line) => [`x-filler-${line}`, "x".repeat(4096)]),
  );
}

/** How many bytes the body has in the end, how big its pieces are, and the pause after each. */
function shapeOf(length: number, fault: Fault | undefined, pace: Pace) {
  const bandwidth = pace.bandwidth;
  const shape = { limit: length, piece: CHUNK, pauseMs: (_bytes: number) => 0 };
  if (bandwidth !== undefined) {
    shape.piece = Math.max(1, Math.min(CHUNK, Math.floor(bandwidth / 20)));
    shape.pauseMs = (bytes) => (bytes * 1000) / bandwidth;
  }
  if (fault?.kind === "drip") return { ...shape, piece: fault.bytes, pauseMs: () => fault.everyMs };
  if (fault?.kind === "stall" || fault?.kind === "cut" || fault?.kind === "short") {
    return { ...shape, limit: Math.min(length, fault.afterBytes) };
  }
  if (fault?.kind === "extra") return { ...shape, limit: length + fault.bytes };
  return fault?.kind === "endless" ? { ...shape, limit: FOREVER } : shape;
}

/** False when the connection went away first. */
async function sendBytes(
  response: ServerResponse,
  record: RequestRecord,
  { content, start, end }: { content: BlobContent; start: number; end: number },
  fault: Fault | undefined,
  pace: Pace,
): Promise<boolean> {
  const { limit, piece, pauseMs } = shapeOf(end - start, fault, pace);
  const begunAt = performance.now();
  let owedMs = 0;
  // One buffer is enough: each write is awaited until the kernel has the bytes.
  const whole = Buffer.allocUnsafe(Math.min(piece, limit));
  for (let sent = 0; sent < limit; ) {
    const buffer = whole.subarray(0, limit - sent);
    fillSpoiled(content, start + sent, end, buffer, fault);
    if (!(await written(response, buffer))) return false;
    sent += buffer.length;
    record.bytesSent += buffer.length;
    owedMs += pauseMs(buffer.length);
    const waitMs = owedMs - (performance.now() - begunAt);
    if (waitMs > 1) await pace.sleep(waitMs);
  }
  return true;
}

function fillSpoiled(
  content: BlobContent,
  offset: number,
  end: number,
  buffer: Buffer,
  fault: Fault | undefined,
): void {
  const real = Math.max(0, Math.min(buffer.length, end - offset));
  content.fill(offset, buffer.subarray(0, real));
  buffer.fill(0x78, real);
  if (fault?.kind !== "flip") return;
  const at = fault.offset - offset;
  if (at >= 0 && at < buffer.length) buffer.writeUInt8(buffer.readUInt8(at) ^ 1, at);
}

/** True when the kernel took the bytes, false when the connection is gone. */
function written(response: ServerResponse, buffer: Buffer): Promise<boolean> {
  return new Promise((resolve) => {
    if (response.destroyed) return resolve(false);
    const gone = () => resolve(false);
    response.once("close", gone);
    response.write(buffer, (error) => {
      response.off("close", gone);
      resolve(error === undefined || error === null);
    });
  });
}

async function endBody(response: ServerResponse, fault: Fault | undefined): Promise<void> {
  const socket = response.socket;
  if (fault?.kind === "stall") return closed(response);
  if (fault?.kind === "cut") {
    socket?.resetAndDestroy();
    return;
  }
  if (fault?.kind === "short" && fault.framing === "fin") {
    socket?.end();
    return;
  }
  await endCleanly(response);
}

function endCleanly(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    response.once("close", resolve);
    response.end(() => resolve());
  });
}

export function closed(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (response.destroyed) resolve();
    else response.once("close", () => resolve());
  });
}
