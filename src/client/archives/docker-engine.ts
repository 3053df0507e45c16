/**
 * Owns the Docker engine of a machine: where it listens, one question to it, and what its failures mean. By node:http, because an
 * engine is no registry: it listens on a socket, takes no credentials, and is never behind a proxy.
 */
import { type IncomingMessage, request } from "node:http";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { errnoOf } from "../../files/disk-error.ts";
import { plainWords } from "../../oci/error-body.ts";
import { parseJsonObject, textOf } from "../../oci/json-value.ts";
import { abortedError } from "../../waiting/abort.ts";

/** In the form that node:http takes. */
export type EngineAddress =
  | { readonly socketPath: string }
  | { readonly host: string; readonly port: number };

const DEFAULT_SOCKET = "/var/run/docker.sock";
/** The port of a Docker engine without TLS, as registered with IANA. */
const DEFAULT_PORT = 2375;

const MAX_COMPLAINT_BYTES = 64 * 1024;

export type EngineAnswer = { readonly status: number; readonly body: AsyncIterable<Uint8Array> };

/**
 * `text` is the path of a socket, `unix://PATH`, `tcp://HOST[:PORT]` or empty. Throws `config-invalid` for what is none of them,
 * and for TLS and SSH, which Granary does not use with engines.
 */
export function engineAddress(
  text: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): EngineAddress {
  const place = (text ?? environment.DOCKER_HOST ?? "").trim();
  if (place === "") return { socketPath: DEFAULT_SOCKET };
  if (place.startsWith("/")) return { socketPath: place };
  if (place.startsWith("unix:///")) return { socketPath: place.slice("unix://".length) };
  const url = place.startsWith("tcp://") && URL.canParse(place) ? new URL(place) : undefined;
  if (url === undefined || url.hostname === "")
    throw refused(place, "it is neither unix:///PATH nor tcp://HOST:PORT");
  if (isSet(environment.DOCKER_TLS_VERIFY))
    throw refused(place, "it wants TLS, which Granary does not use with engines");
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port || DEFAULT_PORT) };
}

export function formatEngineAddress(address: EngineAddress): string {
  return "socketPath" in address ? address.socketPath : `tcp://${address.host}:${address.port}`;
}

function isSet(value: string | undefined): boolean {
  return value !== undefined && value !== "";
}

function refused(place: string, reason: string): GranaryError {
  const message = `The Docker engine at ${place.slice(0, 200)} cannot be asked: ${reason}. Name its socket, such as unix://${DEFAULT_SOCKET}, or save the image with "docker save" and use ocifile:FILE.`;
  return new GranaryError("config-invalid", message, { found: place.slice(0, 200) });
}

/**
 * GETs `path`. The body must be read to its end, or its iteration ended. No time limit: an engine can pack an image for minutes
 * before the first byte; `signal` ends the wait at once. Throws `upstream-unavailable`, `denied`, `aborted`; so does the body.
 */
export async function askEngine(
  address: EngineAddress,
  path: string,
  signal: AbortSignal | undefined,
): Promise<EngineAnswer> {
  try {
    const answer = await send(address, path, signal);
    return { status: answer.statusCode ?? 0, body: bodyOf(answer, address, signal) };
  } catch (error) {
    throw engineError(error, address, signal);
  }
}

/** What the engine says of a request that it did not fulfil: one line that may be shown, empty where it says nothing. */
export async function complaintOf({ body }: EngineAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_COMPLAINT_BYTES) break;
  }
  const bytes = Buffer.concat(chunks);
  const message = textOf(parseJsonObject(bytes)?.message);
  const text = (message ?? bytes.toString()).trim();
  // A page is of something in front of the engine, and JSON without a message says nothing to people.
  if (message === undefined && /^[<{[]/.test(text)) return "";
  return plainWords(text.split("\n")[0] ?? "").slice(0, 300);
}

function send(address: EngineAddress, path: string, signal: AbortSignal | undefined) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const options = { ...address, path, agent: false, ...(signal !== undefined && { signal }) };
    // An engine that goes away later is an error of the body as well, which its reader sees.
    request(options, resolve).on("error", reject).end();
  });
}

async function* bodyOf(
  answer: IncomingMessage,
  address: EngineAddress,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of answer as AsyncIterable<Uint8Array>) yield chunk;
  } catch (error) {
    throw engineError(error, address, signal);
  } finally {
    answer.destroy();
  }
}

function engineError(error: unknown, address: EngineAddress, signal: AbortSignal | undefined): GranaryError {
  if (isGranaryError(error)) return error;
  if (signal?.aborted === true) return abortedError(signal, "asking the Docker engine");
  const place = formatEngineAddress(address);
  const errno = errnoOf(error);
  if (errno === "EACCES" || errno === "EPERM") {
    const message = `The Docker engine at ${place} may not be asked: join the group that owns the socket (docker), or be root.`;
    return new GranaryError("denied", message, { target: place, cause: error });
  }
  const message =
    errno === "ENOENT" || errno === "ECONNREFUSED"
      ? `No Docker engine answers at ${place}: start it, or say where it listens with DOCKER_HOST.`
      : `The Docker engine at ${place} broke off: ${messageOf(error)}.`;
  return new GranaryError("upstream-unavailable", message, { target: place, cause: error });
}
