/**
 * Owns what the command line adds to a failure that only says what happened: what to do about it, as a command with what was typed where
 * there is one. Advice that was followed already is never given. Sentences that carry their own advice stay as they are.
 */
import { formatDuration } from "../bytes/units.ts";
import { type GranaryError, isGranaryError } from "../errors.ts";
import type { Asked } from "./asked.ts";
import { otherVerb } from "./other-verb.ts";

/** A clause to follow the sentence, or a sentence of its own (in upper case) where that has said several things; or nothing. */
export function adviceFor(error: unknown, asked?: Asked): string | undefined {
  if (!isGranaryError(error) || error.facts.saysWhatToDo === true) return undefined;
  // Whoever answered has said why: the address and the network are in order.
  const isExplained = error.facts.told !== undefined;
  switch (error.code) {
    case "upstream-unavailable":
      return !isExplained && isExchange(error)
        ? "check the address and the network, then try again"
        : undefined;
    case "upstream-protocol":
      return !isExplained && isExchange(error) ? "check that a registry answers at that address" : undefined;
    case "unauthorized":
    case "denied":
      return loginAdvice(error, asked);
    case "rate-limited":
      return limitAdvice(error, asked);
    case "digest-mismatch":
      return `what the registry sends is damaged; try again, or ${elsewhere(asked)}`;
    case "manifest-invalid":
    case "not-found":
      return asked && otherVerb(error, asked);
    default:
      return undefined;
  }
}

/** Told by the transport: method and URL, and how it went. */
function isExchange({ message }: GranaryError): boolean {
  return /^(?:GET|HEAD|POST) \S|^https?:\S+ answered /.test(message);
}

/** For a refusal by whoever answered; what Granary itself refuses to do, no login helps. */
function loginAdvice({ facts }: GranaryError, asked: Asked | undefined): string | undefined {
  if (facts.host === undefined || facts.upstreamStatus === undefined) return undefined;
  const { username } = asked?.flags ?? {};
  if (username !== undefined) return `Check the password, and that ${username} may pull this`;
  return `Log in with --username NAME --password-stdin, or by \`docker login ${facts.host}\``;
}

function limitAdvice({ facts }: GranaryError, asked: Asked | undefined): string {
  const when = facts.retryAfterMs === undefined ? "later" : `in ${formatDuration(facts.retryAfterMs)}`;
  if (asked?.flags.username !== undefined) return `try again ${when}`;
  return `try again ${when}, or with a login: registries allow more to those whom they know`;
}

function elsewhere(asked: Asked | undefined): string {
  return asked?.flags.via === undefined
    ? "get it elsewhere with --via"
    : "get it from the registry, without --via";
}
