/**
 * Owns the refusal of requests that this Granary has sent itself: the name of a registry leads here, and without the refusal each such question
 * would be asked again and again by its own answer. Its sentence says what to do; the log has it once for each upstream.
 */
import type { IncomingMessage } from "node:http";
import type { Episodes } from "../../observe/episodes.ts";
import { LOOP_REMEDY, passedBy } from "../../upstream/network/via.ts";
import { type Fault, faultOf } from "./incoming-request.ts";

/** What every face of registries needs to know its own requests. */
export type OwnRequests = {
  /** See newVia; undefined where nothing is sent with it. */
  readonly via: string | undefined;
  readonly episodes: Pick<Episodes, "trouble">;
};

/** Why `incoming` is refused, where it is one of ours; undefined for all others. `upstream` is the one that it asks for. */
export function loopFault(
  incoming: IncomingMessage,
  upstream: string,
  { via, episodes }: OwnRequests,
): Fault | undefined {
  if (via === undefined || !passedBy(via, incoming.headers.via)) return undefined;
  const { host = upstream } = incoming.headers;
  const sentence = `${faultOf(incoming) === undefined ? host : upstream} ${LOOP_REMEDY}`;
  episodes.trouble(`loop of ${upstream}`, { upstream }, sentence);
  return [508, "UNAVAILABLE", sentence];
}
