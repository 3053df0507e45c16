/**
 * Owns what a client hears at the base of a registry that it addressed, `/v2/`: the registry's own challenge, which tells where to get a token. Where
 * the registry is away or in trouble, or its challenge leads to nobody, a client without a login may go on, and is served what everybody may have.
 * It must never do that for a client that shows a login: only the registry knows what it is worth.
 */
import { isGranaryError } from "../../errors.ts";
import type { Clock, Timer } from "../../observe/clock.ts";
import { type Challenge, parseChallenges } from "../../oci/challenge.ts";
import type { RelayedAnswer } from "../../upstream/network/relayed.ts";
import type { OpenRequest } from "../request-listener.ts";
import { type RelayParts, relayRequest } from "./relay-request.ts";

export type BaseParts = RelayParts & {
  readonly clock: Clock;
  /** Answers in the registry's place; undefined where nobody can. */
  readonly deputy: (() => Promise<void>) | undefined;
};

/** Docker waits fifteen seconds for the base. Once it is known that the registry is away, nothing waits (relay.ts). */
const BASE_MS = 10_000;

/** Each is asked; registries have one. */
const MOST_TOKEN_SERVERS = 4;

/** Throws what Relaying throws, and what the deputy throws. */
export async function answerBase(parts: BaseParts, request: OpenRequest): Promise<void> {
  const { deputy } = parts;
  if (deputy === undefined || request.incoming.headers.authorization !== undefined)
    return await relayRequest(parts, request, {});
  const waiting = new AbortController();
  const stop = whenSilent(parts, () => waiting.abort());
  const isNone = async (answer: RelayedAnswer) => isTrouble(answer) || (await leadsNowhere(parts, answer));
  try {
    await relayRequest(parts, request, {}, { signal: waiting.signal, isNone });
  } catch (error) {
    const isAway = isGranaryError(error, "upstream-unavailable", "upstream-protocol", "aborted");
    if (!isAway || request.outgoing.headersSent) throw error;
    await deputy();
  } finally {
    stop();
  }
}

/** A registry or a front end that cannot answer now, or wants to be asked later. */
function isTrouble({ status }: RelayedAnswer): boolean {
  return status >= 500 || status === 429 || status === 408;
}

/** A challenge whose token servers are all away. Judged only for clients that reach them through this proxy: others may have a way of their own. */
async function leadsNowhere(
  { relaying, upstream, sentPlaces }: BaseParts,
  { status, headers }: RelayedAnswer,
): Promise<boolean> {
  if (status !== 401 || sentPlaces === undefined) return false;
  const challenges = headers.filter(
    (_, at) => at % 2 === 1 && headers[at - 1]?.toLowerCase() === "www-authenticate",
  );
  const servers = challenges.flatMap(parseChallenges).flatMap((challenge) => tokenServerOf(challenge) ?? []);
  if (servers.length === 0 || servers.length > MOST_TOKEN_SERVERS) return false;
  const away = servers.map((server) => relaying.isTokenServerAway(upstream, server));
  return (await Promise.all(away)).every((isAway) => isAway);
}

/** With the service, as every client asks: a server may fail without it. */
function tokenServerOf({ parameters }: Challenge): URL | undefined {
  const [realm, service] = [URL.parse(parameters.get("realm") ?? ""), parameters.get("service")];
  if (realm !== null && service !== undefined) realm.searchParams.set("service", service);
  return realm ?? undefined;
}

/** Calls `run` once the registry has not answered for BASE_MS, and answers nothing else either. The returned function takes that back. */
function whenSilent({ clock, upstream, relaying, host }: BaseParts, run: () => void): () => void {
  const look = () => {
    // On a slow line, or where a registry takes few connections, the question has to wait for its turn.
    if (!relaying.isServing(upstream, host)) return run();
    timer = clock.after(BASE_MS, look);
  };
  let timer: Timer = clock.after(BASE_MS, look);
  return () => timer.cancel();
}
