/**
 * Owns what the command line adds to a failure that only says what happened: what to do about it. Sentences of ours that carry
 * their advice stay as they are.
 */
import { formatDuration } from "../bytes/units.ts";
import { type GranaryError, isGranaryError } from "../errors.ts";

/** A clause to follow the sentence, or a sentence of its own (in upper case) where that has said several things; or nothing. */
export function adviceFor(error: unknown): string | undefined {
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
      return loginAdvice(error);
    case "rate-limited":
      return `try again ${waitOf(error)}, or with a login: registries allow more to whom they know`;
    case "digest-mismatch":
      return "what the registry sends is damaged; try again, or get it elsewhere with --via";
    default:
      return undefined;
  }
}

/** Told by the transport: method and URL, and how it went. */
function isExchange({ message }: GranaryError): boolean {
  return /^(?:GET|HEAD|POST) \S|^https?:\S+ answered /.test(message);
}

/** For a refusal by whoever answered; what Granary itself refuses to do, no login helps. */
function loginAdvice({ facts }: GranaryError): string | undefined {
  if (facts.host === undefined || facts.upstreamStatus === undefined) return undefined;
  return `Log in with --username NAME --password-stdin, or by \`docker login ${facts.host}\``;
}

function waitOf({ facts }: GranaryError): string {
  return facts.retryAfterMs === undefined ? "later" : `in ${formatDuration(facts.retryAfterMs)}`;
}
