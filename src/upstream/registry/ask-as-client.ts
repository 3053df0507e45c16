/**
 * Owns one request with the Authorization that a client of ours showed, and what its status says. That header goes to the endpoint that is
 * asked and nowhere else: no redirect is followed here, and no error quotes it. It never adds a login or a certificate of ours.
 */
import type { GranaryError } from "../../errors.ts";
import type { Clock } from "../../observe/clock.ts";
import { answerError, statusError } from "../network/answer-error.ts";
import type { At } from "../network/caller.ts";
import type { Incoming, Outgoing, Transport } from "../network/transport.ts";
import type { Permission } from "../upstream-client.ts";

export type ClientQuestion = {
  readonly transport: Transport;
  readonly clock: Clock;
  /** Opaque, and a secret. */
  readonly authorization: string;
  readonly at: At;
};

export type Request = Pick<Outgoing, "kind" | "method" | "url" | "headers">;

export const MAY_READ: Permission = { mayRead: true };

/** The caller reads the body or discards it. Throws as the transport. */
export function askAsClient(
  { transport, authorization, at }: ClientQuestion,
  request: Request,
): Promise<Incoming> {
  const headers = { ...request.headers, authorization };
  return transport.send({ ...request, headers, isStranger: true, signal: at.signal });
}

/** False for 200 and 206; true where this client may not read it, or it is not there. Throws the error of a status that tells neither. */
export function isRefused({ clock }: ClientQuestion, reply: Incoming): boolean {
  if ([401, 403, 404].includes(reply.status)) return true;
  if ([200, 206].includes(reply.status)) return false;
  throw statusError(reply, clock.now());
}

/** For an answer that may be a page to sign in. */
export function unproven({ url }: Incoming): GranaryError {
  return answerError("upstream-protocol", url, "does not tell who may read this");
}
