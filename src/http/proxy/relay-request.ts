/**
 * Owns how a client's request reaches its registry and how the answer comes back: as they are, but for what belongs to one connection. Bodies
 * of any size go through as they come, both ways, and none is kept. It must never answer in the registry's place once that has begun to.
 */
import type { IncomingMessage, ServerResponse } from "node:http";
import { PassThrough, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { GranaryError } from "../../errors.ts";
import type { RelayedContent, Relaying } from "../../mirror/relaying.ts";
import type { RelayedAnswer } from "../../upstream/network/relayed.ts";
import { onAbort } from "../../waiting/abort.ts";
import { hasBody, splitRequestTarget } from "../registry/incoming-request.ts";
import type { OpenRequest } from "../request-listener.ts";
import { endToEnd } from "./hop-by-hop.ts";
import type { SentPlaces } from "./sent-places.ts";

export type RelayParts = {
  readonly relaying: Relaying;
  readonly sentPlaces?: SentPlaces;
  /** Name of the upstream. */
  readonly upstream: string;
  /** As the client addressed it. */
  readonly host: string;
};

/** The one is written anew for the connection to the registry; the body that the other announces has been asked for. */
const NOT_SENT = ["host", "expect"];

/** Where somebody else can answer in the registry's place. */
export type Deputy = {
  /** Gives up the wait for the answer. */
  readonly signal: AbortSignal;
  /** Answers that are not given on: the registry is in trouble. */
  readonly isNone: (answer: RelayedAnswer) => Promise<boolean>;
};

/** Throws what Relaying throws, and `upstream-unavailable` for an answer that is none to `deputy`; nothing was answered then. */
export async function relayRequest(
  parts: RelayParts,
  { incoming, outgoing, account }: OpenRequest,
  content: RelayedContent,
  deputy?: Deputy,
): Promise<void> {
  const { host, relaying, sentPlaces, upstream } = parts;
  const left = new AbortController();
  // A pipeline listens as well, several times: these are more than Node takes for a leak.
  outgoing.setMaxListeners(20).once("close", () => left.abort());
  const stopWaiting = onAbort(deputy?.signal, () => left.abort());
  const ask = {
    host,
    method: incoming.method ?? "GET",
    path: pathIn(incoming.url ?? "/"),
    headers: endToEnd(incoming.rawHeaders, NOT_SENT),
    body: bodyOf(incoming),
    signal: left.signal,
  };
  const answer = await relaying.relay(upstream, ask, content).finally(stopWaiting);
  if ((await deputy?.isNone(answer)) === true) throw noAnswer(answer, upstream);
  sentPlaces?.learn(upstream, answer.headers);
  account.outcome = "bypass";
  // The rest of a body that the registry did not want is read no further: the connection ends in stages.
  if (!incoming.complete) outgoing.shouldKeepAlive = false;
  await send(answer, outgoing, (bytes) => account.sent(bytes));
}

function noAnswer({ status, body }: RelayedAnswer, upstream: string): GranaryError {
  body.on("error", () => undefined).destroy();
  return new GranaryError("upstream-unavailable", `${upstream} answered ${status}.`, {
    upstreamStatus: status,
  });
}

/** Without the host of a request line that names one. */
function pathIn(url: string): string {
  const target = splitRequestTarget(url);
  if (target === undefined) return url;
  return target.rawQuery === "" && !url.endsWith("?")
    ? target.rawPath
    : `${target.rawPath}?${target.rawQuery}`;
}

/** undici destroys a body that it cannot send; the client's own connection has to live on for the answer. */
function bodyOf(incoming: IncomingMessage): Readable | undefined {
  if (!hasBody(incoming)) return undefined;
  const body = new PassThrough();
  incoming.pipe(body);
  incoming.once("close", () => {
    if (!incoming.complete)
      body.destroy(new GranaryError("aborted", "The client left in the middle of its body."));
  });
  // Without a reader the rest of it would hold the connection.
  body.once("close", () => incoming.resume());
  body.on("error", () => undefined);
  return body;
}

/** A body that ends too early cuts the connection: ending it would make it look whole. */
async function send(
  { status, headers, body }: RelayedAnswer,
  outgoing: ServerResponse,
  onSent: (bytes: number) => void,
): Promise<void> {
  try {
    outgoing.writeHead(status, endToEnd(headers));
    body.on("data", (chunk: Buffer) => onSent(chunk.length));
    await pipeline(body, outgoing);
  } catch (error) {
    body.on("error", () => undefined).destroy();
    if (outgoing.destroyed && outgoing.writableFinished) return;
    throw new GranaryError("upstream-unavailable", "The registry's answer was cut off.", { cause: error });
  }
}
