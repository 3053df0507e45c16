/**
 * Owns the listener by which the nodes of a fleet read from each other: on a port of its own, for nobody who does not know the fleet's secret or
 * has no certificate of it. It gives bytes of blobs by digest, and what people are told of events and traffic; no manifests, no credentials, and it
 * asks nobody. What a client or a person may see is decided at the node that they talk to.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { ByteRange } from "../../bytes/byte-range.ts";
import { formatContentRange, parseRangeHeader } from "../../bytes/http-range.ts";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import {
  type BlobQuestion,
  isOfRecords,
  isSigned,
  parsePath,
  type RecordsQuestion,
} from "../../fleet/peers/peer-request.ts";
import type { FleetTransfers, PeerReader } from "../../fleet/transfers/fleet-transfers.ts";
import { Episodes } from "../../observe/episodes.ts";
import type { Observers } from "../../observe/observers.ts";
import { PURPOSES, type Purpose } from "../../purpose.ts";
import { BufferPool } from "../answers/buffer-pool.ts";
import { sendBody } from "../answers/send-body.ts";
import { Sending } from "../answers/sending.ts";

export type InternalEntry = {
  /** 0 lets the system choose (tests). */
  readonly port: number;
  readonly host: string | undefined;
  readonly secret: string | undefined;
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
};

export type InternalParts = Observers & {
  /** This node's name: what is meant for another one is refused. */
  readonly node: string;
  readonly transfers: Pick<FleetTransfers, "filling" | "kept" | "map">;
  /** What this node tells of its records, as JSON can hold it; undefined while it cannot yet. */
  readonly records: (question: RecordsQuestion) => Promise<object | undefined>;
};

export type InternalListener = {
  readonly port: number;
  /** Cuts what is under way. Idempotent. */
  close(): Promise<void>;
};

const MOST_CONNECTIONS = 4_096;
const HEADERS_MS = 5_000;
const MOST_HEADER_BYTES = 16 * 1024;
/** A node that takes nothing for so long is gone. */
const STALL_MS = 60_000;

/** Listens. Throws `config-invalid` when it cannot: neither secret nor certificates, or the port is taken. */
export async function listenInternally(
  entry: InternalEntry,
  parts: InternalParts,
): Promise<InternalListener> {
  if (entry.secret === undefined && entry.tls === undefined)
    throw new GranaryError("config-invalid", "fleet.internal needs a secret or certificates.");
  const desk = new Desk(entry, parts, await Sending.open(parts.log));
  const server = serverOf(entry, (request, response) => void desk.answer(request, response));
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await listening(server, entry);
  const { port } = server.address() as AddressInfo;
  return {
    port,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function serverOf(
  { tls }: InternalEntry,
  answer: (request: IncomingMessage, response: ServerResponse) => void,
): Server {
  const limits = { maxHeaderSize: MOST_HEADER_BYTES, headersTimeout: HEADERS_MS, requestTimeout: HEADERS_MS };
  const server =
    tls === undefined
      ? createServer(limits, answer)
      : createTlsServer({ ...limits, ...tls, requestCert: true, rejectUnauthorized: true }, answer);
  server.maxConnections = MOST_CONNECTIONS;
  server.timeout = STALL_MS;
  return server;
}

function listening(server: Server, { port, host }: InternalEntry): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (error) => {
      const text = `fleet.internal cannot listen on port ${port} (${messageOf(error)}): another program may have it.`;
      reject(new GranaryError("config-invalid", text, { cause: error }));
    });
    server.listen({ port, ...(host !== undefined && { host }) }, resolve);
  });
}

/** What is done with one request. */
class Desk {
  readonly #entry: InternalEntry;
  readonly #parts: InternalParts;
  readonly #sending: Sending;
  readonly #pool = new BufferPool();
  readonly #episodes: Episodes;

  constructor(entry: InternalEntry, parts: InternalParts, sending: Sending) {
    this.#entry = entry;
    this.#parts = parts;
    this.#sending = sending;
    this.#episodes = new Episodes(parts.log, parts.clock);
  }

  /** Never rejects. */
  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    request.on("error", () => undefined);
    response.on("error", () => undefined);
    try {
      await this.#answer(request, response);
    } catch (error) {
      if (response.headersSent) response.destroy();
      else refuse(response, isGranaryError(error, "range-unsatisfiable") ? 416 : 503);
      if (!isGranaryError(error))
        this.#parts.log.error({ reason: messageOf(error) }, "a node could not be answered");
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (!this.#isKnown(request)) {
      const facts = { client: request.socket.remoteAddress };
      const text =
        "the internal listener was asked by somebody who does not prove to know the fleet's secret";
      this.#episodes.trouble("strangers", facts, text);
      return refuse(response, 401);
    }
    const question = request.method === "GET" ? parsePath(request.url ?? "") : undefined;
    if (question === undefined) return refuse(response, 400);
    if (isOfRecords(question)) {
      sendJson(response, await this.#parts.records(question));
      return;
    }
    if (question.kind === "map") return await this.#map(question, response);
    const opened = await this.#open(question, request);
    if (opened === undefined) return refuse(response, question.kind === "filling" ? 409 : 404);
    await this.#send(opened, request, response).finally(opened.over);
  }

  #isKnown({ headers, url = "" }: IncomingMessage): boolean {
    const { secret } = this.#entry;
    // The certificate was asked for before: without one there is no connection.
    if (secret === undefined) return true;
    const { node, clock } = this.#parts;
    const parts = { path: url, range: headers.range ?? "", node };
    return isSigned(headers.authorization, secret, parts, clock.now());
  }

  async #map(question: BlobQuestion, response: ServerResponse): Promise<void> {
    const map = await this.#parts.transfers.map(question);
    sendJson(response, map && { ...map, ranges: map.ranges.map(({ start, end }) => [start, end]) });
  }

  async #open(question: BlobQuestion, { headers }: IncomingMessage): Promise<PeerReader | undefined> {
    const { transfers } = this.#parts;
    const ask = {
      range: askedRange(headers.range),
      purpose: purposeOf(headers["granary-purpose"]),
      node: "another node of the fleet",
    };
    if (question.kind === "filling") return await transfers.filling(question, question.epoch, ask);
    return await transfers.kept(question, ask);
  }

  async #send(
    { size, reader }: PeerReader,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<void> {
    const range = askedRange(request.headers.range);
    const length = range === undefined ? size : range.end - range.start;
    const { clock } = this.#parts;
    await sendBody({
      outgoing: response,
      reader,
      length,
      begin: () => response.writeHead(range === undefined ? 200 : 206, headersOf(range, size, length)),
      onFirstByte: () => undefined,
      onSent: () => undefined,
      pool: this.#pool,
      sending: this.#sending,
      clock,
    });
  }
}

function headersOf(
  range: ByteRange | undefined,
  size: number | undefined,
  length: number | undefined,
): Record<string, string> {
  return {
    "content-type": "application/octet-stream",
    ...(length !== undefined && { "content-length": String(length) }),
    ...(range !== undefined && size !== undefined && { "content-range": formatContentRange(range, size) }),
  };
}

/** Nodes ask for one range, with both ends; anything else counts as none. */
function askedRange(header: string | undefined): ByteRange | undefined {
  const asked = parseRangeHeader(header, Number.MAX_SAFE_INTEGER);
  return typeof asked === "object" && "start" in asked ? asked : undefined;
}

function purposeOf(text: string | string[] | undefined): Purpose {
  return PURPOSES.find((purpose) => purpose === text) ?? "waited";
}

/** undefined: there is nothing of it here. */
function sendJson(response: ServerResponse, value: object | undefined): void {
  if (value === undefined) {
    refuse(response, 404);
    return;
  }
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

/** Without a word: who may ask knows what each status means, and all others need not know. */
function refuse(response: ServerResponse, status: number): void {
  response.writeHead(status, { "content-length": "0", connection: status === 401 ? "close" : "keep-alive" });
  response.end();
}
