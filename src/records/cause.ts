/**
 * Owns what a failure is to people who look for its cause: the code of its error, and where one code stands for things of which each needs
 * something else to be done, which of them it is. Pure. What can be done is cause-advice.ts's.
 */
import { type ErrorCode, GranaryError } from "../errors.ts";
import type { EventFacts } from "./event.ts";

/** Of a failure that is no GranaryError, or that was told of before causes were. */
const UNKNOWN = "unknown";

/**
 * A code of GranaryError, or: `refused-here`, this Granary itself forbids it, and no registry (`denied`); `set-offline`, a person has set
 * the upstream offline (`upstream-unavailable`); `unknown`.
 */
export type Cause = ErrorCode | "refused-here" | "set-offline" | typeof UNKNOWN;

/** As it stands in the facts of an event. `cause` is there where it says more than `code`. */
export type FailureFacts = {
  readonly code: ErrorCode;
  readonly cause?: Cause;
};

/** Undefined for what nobody foresaw. */
export function failureFacts(error: unknown): FailureFacts | undefined {
  if (!(error instanceof GranaryError)) return undefined;
  const { code } = error;
  if (code === "denied" && !isByRegistry(error)) return { code, cause: "refused-here" };
  if (code === "upstream-unavailable" && isSetOffline(error)) return { code, cause: "set-offline" };
  return { code };
}

/** The cause in the facts of an event; `known` says which there are. */
export function causeIn(facts: EventFacts, known: (text: string) => text is Cause): Cause {
  for (const text of [facts.cause, facts.code]) if (typeof text === "string" && known(text)) return text;
  return UNKNOWN;
}

function isByRegistry({ facts }: GranaryError): boolean {
  return facts.upstreamStatus !== undefined;
}

/** Whoever waited for a shared answer gets it with the failure of that answer as its cause. */
function isSetOffline(error: unknown): boolean {
  for (let each = error; each instanceof GranaryError; each = each.cause)
    if (each.facts.isSetOffline === true) return true;
  return false;
}
