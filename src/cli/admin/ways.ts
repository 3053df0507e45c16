/**
 * Owns the ways to an admin face: the socket in a storage directory, the admin listener at a URL, and an application in this process. They
 * differ in nothing but how bytes get there.
 */
import { type ClientRequest, type IncomingMessage, request } from "node:http";
import { type RequestOptions, request as requestTls } from "node:https";
import type { Socket } from "node:net";
import { pipeline } from "node:stream/promises";
import { formatDuration } from "../../bytes/units.ts";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { tlsProblem } from "../../upstream/network/transport-error.ts";
import { secureContextOf } from "../../upstream/network/trust.ts";
import type { AdminBody, AdminWay } from "./admin-client.ts";

/** There is no socket, or one that a dead server left behind, or no socket can have such a path. */
const NOBODY = ["ENOENT", "ECONNREFUSED", "ENOTSOCK", "ENOTDIR", "EINVAL", "ENAMETOOLONG"];

/** How long is waited, milliseconds. */
type Patience = {
  readonly connectMs: number;
  /** For the answer to a question that changes nothing to begin; work may take as long as it takes. */
  readonly answerMs: number;
};

const PATIENCE: Patience = { connectMs: 10_000, answerMs: 60_000 };

/** Whether a server answers at the socket `path`. Throws `denied` where it is another user's. */
export async function isServed(path: string): Promise<boolean> {
  try {
    const answer = await exchange({ socketPath: path, path: "/", method: "HEAD" });
    answer.resume();
    return true;
  } catch (error) {
    if (NOBODY.includes(codeOf(error))) return false;
    throw unreached(error, path);
  }
}

export function socketWay(path: string, where: string): AdminWay {
  return {
    where,
    send: (method, target, body, signal) =>
      sent({ socketPath: path, path: target, method }, body, signal, (error) => unreached(error, path)),
  };
}

/**
 * `token` is sent with every question, and to nobody but `url`: an answer that points elsewhere is not followed. `ca` (PEM) may have signed
 * its certificate, beside those whom this machine trusts.
 */
export function urlWay(url: URL, token: string | undefined, ca?: string, patience = PATIENCE): AdminWay {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const base = url.pathname.replace(/\/+$/, "");
  const tls = url.protocol === "https:" && { secureContext: secureContextOf(ca === undefined ? ca : { ca }) };
  return {
    where: url.origin,
    send: (method, target, body, signal) => {
      const place = { protocol: url.protocol, host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port };
      const options = { ...place, path: `${base}${target}`, method, headers, ...tls };
      return sent({ ...options, patience }, body, signal, (error) => unanswered(url, error));
    },
  };
}

/** The application itself; `app` answers as a server would. */
export function inProcessWay(app: { request: App }, where: string): AdminWay {
  return {
    where,
    isAlone: true,
    async send(method, target, body, signal) {
      const answer = await app.request(target, {
        method,
        ...(body !== undefined && bodyOf(body)),
        ...(signal !== undefined && { signal }),
      });
      return { status: answer.status, body: abortable(answer.body, signal) };
    },
  };
}

function bodyOf(body: AdminBody): RequestInit & { readonly duplex?: "half" } {
  const headers = { "Content-Type": typeOf(body) };
  if (typeof body === "string") return { body, headers };
  return { body: ReadableStream.from(body) as ReadableStream, headers, duplex: "half" };
}

function typeOf(body: AdminBody): string {
  return typeof body === "string" ? "application/json" : "application/x-tar";
}

type App = (target: string, init: RequestInit) => Response | Promise<Response>;

/** Whoever asked is gone when they abort: the body is given up, which is what the application hears of a client that left. */
async function* abortable(
  body: ReadableStream<Uint8Array> | null,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  if (body === null) return;
  const reader = body.getReader();
  const leave = () => void reader.cancel();
  signal?.addEventListener("abort", leave);
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    signal?.removeEventListener("abort", leave);
    await reader.cancel();
  }
}

type Sending = RequestOptions & { readonly patience?: Patience };

async function sent(
  options: Sending,
  body: AdminBody | undefined,
  signal: AbortSignal | undefined,
  failed: (error: unknown) => GranaryError,
) {
  try {
    const answer = await exchange({ ...options, ...(signal !== undefined && { signal }) }, body);
    return { status: answer.statusCode ?? 0, body: answer };
  } catch (error) {
    if (signal?.aborted === true) throw new GranaryError("aborted", "It was stopped.", { cause: error });
    throw isGranaryError(error) ? error : failed(error);
  }
}

function exchange({ patience = PATIENCE, ...options }: Sending, body?: AdminBody): Promise<IncomingMessage> {
  const ask = options.protocol === "https:" ? requestTls : request;
  const framing =
    body === undefined
      ? {}
      : {
          "Content-Type": typeOf(body),
          ...(typeof body === "string" && { "Content-Length": String(Buffer.byteLength(body)) }),
        };
  return new Promise((resolve, reject) => {
    const asking = ask({ ...options, agent: false, headers: { ...options.headers, ...framing } });
    asking.on("response", resolve);
    asking.on("error", reject);
    endWhenSilent(asking, patience);
    if (body === undefined || typeof body === "string") asking.end(body);
    // Where the bytes cannot be had, that is the failure, and not what the connection then suffers.
    else pipeline(body, asking).catch(reject);
  });
}

/** A host whose firewall drops, or a server that has stopped, says nothing for ever. */
function endWhenSilent(asking: ClientRequest, { connectMs, answerMs }: Patience): void {
  let timer: NodeJS.Timeout | undefined;
  const within = (ms: number) => {
    clearTimeout(timer);
    const text = `nothing came within ${formatDuration(ms)}`;
    timer = setTimeout(() => asking.destroy(new Error(text)), ms);
  };
  within(connectMs);
  const isReading = asking.method === "GET" || asking.method === "HEAD";
  asking.on("socket", (socket: Socket) => {
    socket.once("connect", () => (isReading ? within(answerMs) : clearTimeout(timer)));
  });
  for (const end of ["response", "close"]) asking.once(end, () => clearTimeout(timer));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

function unreached(error: unknown, path: string): GranaryError {
  if (["EACCES", "EPERM"].includes(codeOf(error))) {
    const text = `A Granary runs in this storage directory, and only the user that runs it may ask it (${path}): run this as that user, in a container with "docker exec".`;
    return new GranaryError("denied", text, { target: path });
  }
  const text = `The Granary that runs in this storage directory gave no answer: ${messageOf(error)}.`;
  return new GranaryError("upstream-unavailable", text, { cause: error, saysWhatToDo: true });
}

function unanswered(url: URL, error: unknown): GranaryError {
  const problem = tlsProblem(codeOf(error), url) ?? messageOf(error);
  const text = `${url.origin} gives no answer: ${problem}. Check the address, and that a Granary runs there.`;
  return new GranaryError("upstream-unavailable", text, { cause: error, saysWhatToDo: true });
}
