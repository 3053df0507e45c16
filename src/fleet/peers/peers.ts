/**
 * Owns what one node asks the internal listener of another, over connections of its own. A peer that does not answer is noticed within seconds.
 * It never retries, believes nothing that it reads to be right, and sends no credential of any upstream.
 */
import { Agent, type Dispatcher } from "undici";
import { type ByteRange, isByteCount } from "../../bytes/byte-range.ts";
import { parseContentRange } from "../../bytes/http-range.ts";
import { RangeSet } from "../../bytes/range-set.ts";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Purpose } from "../../purpose.ts";
import { sleep } from "../../waiting/sleep.ts";
import type { Member } from "../fleet.ts";
import {
  type BlobQuestion,
  type PeerQuestion,
  pathOf,
  type RecordsQuestion,
  rangeOf,
  sign,
} from "./peer-request.ts";

export type PeersOptions = {
  readonly clock: Clock;
  /** undefined where certificates decide. */
  readonly secret: string | undefined;
  /** PEM texts. */
  readonly tls: { readonly cert: string; readonly key: string; readonly ca: string } | undefined;
};

export type PeerBody = {
  /** What `body` carries; infinite where the size is not known. */
  readonly range: ByteRange;
  /** Bytes of the whole; undefined where nobody knows. */
  readonly size: number | undefined;
  readonly body: Dispatcher.ResponseData["body"];
};

/** Which bytes of a blob a peer has, verified (`isStored`) or not. */
export type PeerMap = { readonly size: number; readonly present: RangeSet; readonly isStored: boolean };

/** A peer that is there answers within milliseconds: whoever waits longer makes clients wait: with 20 s one client stood still for 27 s. */
const CONNECT_MS = 3_000;
const HEADERS_MS = 3_000;
const MAP_MS = 1_500;
/** A node that does not answer for so long is out of reach, or stands still. */
const ANSWER_MS = 3_000;
const MOST_MAP_BYTES = 1024 * 1024;
/** A person waits for what all nodes tell: whoever is late is left out, and named. */
const RECORDS_MS = 1_000;
const MOST_RECORDS_BYTES = 4 * 1024 * 1024;
const MOST_HEADER_BYTES = 16 * 1024;

export class Peers {
  readonly #options: PeersOptions;
  readonly #agent: Agent;

  constructor(options: PeersOptions) {
    this.#options = options;
    const { tls } = options;
    const identity = tls === undefined ? {} : { ca: tls.ca, cert: tls.cert, key: tls.key };
    this.#agent = new Agent({
      connect: { timeout: CONNECT_MS, ...identity },
      headersTimeout: HEADERS_MS,
      // A body comes as fast as the line of the node that fills; who reads it looks after that.
      bodyTimeout: 0,
      maxHeaderSize: MOST_HEADER_BYTES,
    });
  }

  /**
   * Bytes from `member`, from `range.start` on; they may end early, never late. undefined when it does not have them, or is not the holder
   * of that epoch (any more). Throws `fleet-unavailable` when it does not answer, `aborted`.
   */
  async open(
    member: Pick<Member, "node" | "address">,
    question: BlobQuestion,
    range: ByteRange,
    purpose: Purpose,
    signal: AbortSignal,
  ): Promise<PeerBody | undefined> {
    const answer = await this.#ask(member, question, range, purpose, signal);
    const { statusCode, headers, body } = answer;
    if (statusCode === 200 || statusCode === 206) {
      const said = statusCode === 200 ? wholeOf(headers) : partOf(headers);
      if (said !== undefined && said.range.start === (statusCode === 200 ? 0 : range.start)) {
        if (statusCode === 206 || range.start === 0) return { ...said, body };
      }
    }
    drop(body);
    if (statusCode === 404 || statusCode === 409) return undefined;
    throw unavailable(member, refusalOf(statusCode));
  }

  /** Which bytes of a blob the peer has; undefined when it has none, or does not say so in time. Never rejects. */
  async map(
    member: Pick<Member, "node" | "address">,
    of: Omit<Extract<BlobQuestion, { kind: "map" }>, "kind">,
  ): Promise<PeerMap | undefined> {
    return (await this.#askSoon(member, of, MAP_MS))?.map;
  }

  /** Whether it answers within a moment, whatever it says. Never rejects. */
  async answers(
    member: Pick<Member, "node" | "address">,
    of: Omit<Extract<BlobQuestion, { kind: "map" }>, "kind">,
  ): Promise<boolean> {
    return (await this.#askSoon(member, of, ANSWER_MS)) !== undefined;
  }

  /**
   * What the peer tells of its records: JSON that nobody has looked at. Throws `fleet-unavailable` where it does not answer within a second, tells too
   * much or does not know the question.
   */
  async records(member: Pick<Member, "node" | "address">, question: RecordsQuestion): Promise<unknown> {
    const late = new AbortController();
    const timer = this.#options.clock.after(RECORDS_MS, () => late.abort());
    try {
      const { statusCode, body } = await this.#ask(member, question, undefined, "waited", late.signal);
      if (statusCode === 200) return JSON.parse(await readText(body, MOST_RECORDS_BYTES));
      drop(body);
      throw unavailable(member, refusalOf(statusCode));
    } catch (error) {
      if (late.signal.aborted) throw unavailable(member, "nothing came within a second");
      throw isGranaryError(error) ? error : unavailable(member, messageOf(error));
    } finally {
      timer.cancel();
    }
  }

  async #askSoon(
    member: Pick<Member, "node" | "address">,
    { upstream, digest }: Omit<Extract<BlobQuestion, { kind: "map" }>, "kind">,
    mostMs: number,
  ): Promise<{ readonly map: PeerMap | undefined } | undefined> {
    const { clock } = this.#options;
    const late = new AbortController();
    const timer = clock.after(mostMs, () => late.abort());
    try {
      const question = { kind: "map", upstream, digest } as const;
      const { statusCode, body } = await this.#ask(member, question, undefined, "waited", late.signal);
      const text = await readText(body, MOST_MAP_BYTES);
      return { map: statusCode === 200 ? parseMap(text) : undefined };
    } catch {
      // A peer that is away has nothing for us now: the bytes come from elsewhere.
      return undefined;
    } finally {
      timer.cancel();
    }
  }

  async close(): Promise<void> {
    await this.#agent.destroy();
  }

  async #ask(
    member: Pick<Member, "node" | "address">,
    question: PeerQuestion,
    range: ByteRange | undefined,
    purpose: Purpose,
    signal: AbortSignal,
  ): Promise<Dispatcher.ResponseData> {
    const { clock, secret } = this.#options;
    const path = pathOf(question);
    const asked = range === undefined ? "" : rangeOf(range);
    const headers: Record<string, string> = { "granary-purpose": purpose };
    if (asked !== "") headers.range = asked;
    const parts = { path, range: asked, node: member.node, at: clock.now() };
    if (secret !== undefined) headers.authorization = sign(secret, parts);
    try {
      return await this.#agent.request({ origin: originOf(member), path, method: "GET", headers, signal });
    } catch (error) {
      if (signal.aborted)
        throw new GranaryError("aborted", `Stopped asking ${member.node}.`, { cause: error });
      throw unavailable(member, messageOf(error));
    }
  }
}

/** `body` chunk by chunk; it is destroyed at the end. Each second without a byte asks `isWorthWaiting`; where it says no, that ends it. Throws `upstream-unavailable`. */
export async function* watched(
  body: PeerBody["body"],
  clock: Clock,
  isWorthWaiting: (silentMs: number) => Promise<boolean>,
): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterator<Uint8Array> = body[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = chunks.next();
      const chunk = await orSilence(next, clock, isWorthWaiting);
      if (chunk.done === true) return;
      yield chunk.value;
    }
  } finally {
    drop(body);
  }
}

/** Closes the connection of a body that nobody reads any more. */
export function drop(body: PeerBody["body"]): void {
  body.on("error", () => undefined); // It is destroyed on purpose, and somebody may be reading it still.
  body.destroy();
}

const LOOK_MS = 1_000;

async function orSilence(
  next: Promise<IteratorResult<Uint8Array>>,
  clock: Clock,
  isWorthWaiting: (silentMs: number) => Promise<boolean>,
): Promise<IteratorResult<Uint8Array>> {
  const since = clock.elapsed();
  for (;;) {
    const over = new AbortController();
    const silence = sleep(LOOK_MS, clock, over.signal).then(() => undefined);
    const came = await Promise.race([next, silence]).finally(() => over.abort());
    if (came !== undefined) return came;
    if (await isWorthWaiting(clock.elapsed() - since)) continue;
    next.catch(() => undefined); // It was given up.
    throw new GranaryError("upstream-unavailable", "The node that brings this blob has gone silent.");
  }
}

/** Only an address of the form that nodes tell: nothing else of the database's text gets into a request. */
function originOf({ node, address }: Pick<Member, "node" | "address">): string {
  const url = URL.canParse(address) ? new URL(address) : undefined;
  const isPlain =
    url !== undefined && /^https?:$/.test(url.protocol) && url.pathname === "/" && url.username === "";
  if (isPlain) return url.origin;
  throw new GranaryError("fleet-unavailable", `Node ${node} tells an address that is none: ${address}.`);
}

function unavailable({ node }: Pick<Member, "node">, reason: string): GranaryError {
  const text = `Node ${node} of the fleet does not answer (${reason}).`;
  return new GranaryError("fleet-unavailable", text, { reason: "another node of the fleet does not answer" });
}

function refusalOf(status: number): string {
  const why: Readonly<Record<number, string>> = {
    400: ": is its Granary an older one?",
    401: ": do all nodes have the same secret?",
  };
  return `it answered ${status}${why[status] ?? ""}`;
}

type Headers = Dispatcher.ResponseData["headers"];

function wholeOf(headers: Headers): Omit<PeerBody, "body"> {
  const length = headers["content-length"] === undefined ? Number.NaN : Number(headers["content-length"]);
  const size = isByteCount(length) ? length : undefined;
  return { range: { start: 0, end: size ?? Number.POSITIVE_INFINITY }, size };
}

function partOf(headers: Headers): Omit<PeerBody, "body"> | undefined {
  const said = parseContentRange(String(headers["content-range"] ?? ""));
  return said?.range && { range: said.range, size: said.size };
}

async function readText(body: AsyncIterable<Uint8Array>, mostBytes: number): Promise<string> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    length += chunk.length;
    if (length > mostBytes) throw new Error("it tells too much");
  }
  return Buffer.concat(chunks).toString("utf8");
}

/** undefined for anything that is no map. */
function parseMap(text: string): PeerMap | undefined {
  const said = JSON.parse(text) as { size?: unknown; ranges?: unknown; isStored?: unknown };
  if (typeof said.size !== "number" || !isByteCount(said.size) || !Array.isArray(said.ranges))
    return undefined;
  const present = new RangeSet();
  for (const each of said.ranges as unknown[]) {
    if (!Array.isArray(each)) return undefined;
    const [start, end] = each as unknown[];
    if (typeof start !== "number" || typeof end !== "number" || !isByteCount(start) || !isByteCount(end))
      return undefined;
    if (end > said.size || start > end) return undefined;
    present.add({ start, end });
  }
  return { size: said.size, present, isStored: said.isStored === true };
}
