/**
 * Owns one question to a Docker engine and what its failures mean. node:http, because an engine is no registry: it listens on a
 * socket, takes no credentials, and no proxy lies between.
 */
import { type IncomingMessage, request } from "node:http";
import { GranaryError, isGranaryError, messageOf } from "../../errors.ts";
import { errnoOf } from "../../files/disk-error.ts";
import { asObject, parseJsonObject, textOf } from "../../oci/json-value.ts";
import { abortedError } from "../../waiting/abort.ts";
import { type EngineAddress, formatEngineAddress } from "./engine-address.ts";

const MAX_COMPLAINT_BYTES = 64 * 1024;

export type EngineAnswer = { readonly status: number; readonly body: AsyncIterable<Uint8Array> };

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

/** What the engine says of a request that it did not fulfil; one line. */
export async function complaintOf({ body }: EngineAnswer): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body) {
    chunks.push(chunk);
    size += chunk.length;
    if (size > MAX_COMPLAINT_BYTES) break;
  }
  const bytes = Buffer.concat(chunks);
  const text = textOf(asObject(parseJsonObject(bytes))?.message) ?? bytes.toString();
  return text.trim().split("\n")[0]?.slice(0, 300) ?? "";
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
