/**
 * Owns what a failure of the bucket is to people: which of a few things is wrong, and what to do about it. Of what the store or the SDK says it
 * uses the status and the code alone, because their texts can quote requests, and with them keys and signed addresses. For that reason a failure
 * has no cause either.
 */
import { GranaryError } from "../../errors.ts";
import type { BucketPlace } from "./bucket-settings.ts";

/** What was seen of a failure. */
export type SeenFailure = {
  /** The HTTP status, where one came. */
  readonly status?: number | undefined;
  /** The store's code (`NoSuchBucket`), the system's (`ECONNREFUSED`), or the SDK's. */
  readonly code?: string | undefined;
};

type Said = { readonly what: string; readonly todo: string; readonly reason: string };

const LOGIN = new Set([
  "InvalidAccessKeyId",
  "SignatureDoesNotMatch",
  "InvalidToken",
  "ExpiredToken",
  "ExpiredTokenException",
  "TokenRefreshRequired",
  "AuthFailure",
  "InvalidSecurity",
  "NotSignedUp",
  // versitygw, of an access key that it does not know.
  "XAdminUserNotFound",
]);
const ELSEWHERE = new Set(["PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed"]);
const BUSY = new Set([
  "SlowDown",
  "ServiceUnavailable",
  "Throttling",
  "ThrottlingException",
  "RequestLimitExceeded",
]);

/** `doing` completes "Could not ...", without a key of an object. */
export function bucketError(doing: string, place: BucketPlace, seen: SeenFailure): GranaryError {
  const { what, todo, reason } = saidOf(place, seen);
  return new GranaryError("fleet-unavailable", `Could not ${doing}: ${what}; ${todo}.`, {
    host: place.host,
    reason,
    saysWhatToDo: true,
    ...(seen.status !== undefined && { upstreamStatus: seen.status }),
    ...(seen.status === undefined && { isUnreachable: true }),
  });
}

/** The store answered, and the answer contradicts itself or the question. `what` completes "the store at HOST ...". */
export function nonsenseError(doing: string, { host }: BucketPlace, what: string): GranaryError {
  const message = `Could not ${doing}: the store at ${host} ${what}; see whether something between here and the store changes its answers.`;
  const reason = "the fleet's bucket answered with something that cannot be used";
  return new GranaryError("fleet-unavailable", message, { host, reason, saysWhatToDo: true });
}

function saidOf({ host, bucket }: BucketPlace, { status, code }: SeenFailure): Said {
  const said = status === undefined ? code : [status, code].filter((each) => each !== undefined).join(" ");
  if (code === "CredentialsProviderError") {
    return refused(
      "no login for the fleet's bucket was found",
      "set its keys, or give this machine a profile or a role",
    );
  }
  if (code === "NoSuchBucket") {
    return {
      what: `the store at ${host} has no bucket "${bucket}"`,
      todo: "make the bucket, or correct its name or its endpoint",
      reason: "the fleet's bucket does not exist",
    };
  }
  if (code === "RequestTimeTooSkewed" || code === "RequestExpired") {
    return refused(
      `the store at ${host} has another time than this machine (${said})`,
      "set the clock of both by the network",
    );
  }
  if ((code !== undefined && LOGIN.has(code)) || status === 401) {
    return refused(
      `the store at ${host} refuses the fleet's login (${said})`,
      "correct the keys of the bucket",
    );
  }
  if (
    (code !== undefined && ELSEWHERE.has(code)) ||
    (status !== undefined && status >= 300 && status < 400)
  ) {
    return refused(
      `the bucket "${bucket}" is not served at ${host} in this way (${said})`,
      "correct its region, its endpoint or its path style",
    );
  }
  if (status === 403 || code === "AccessDenied") {
    return refused(
      `the store at ${host} does not let this login do that in the bucket "${bucket}" (${said})`,
      "let it read, write, list and delete there",
    );
  }
  return awayOf(host, status, code, said);
}

function awayOf(
  host: string,
  status: number | undefined,
  code: string | undefined,
  said = "no answer",
): Said {
  if (status === undefined) {
    return {
      what: `the store at ${host} does not answer (${said})`,
      todo: "see whether it runs, and whether this machine reaches it",
      reason: "the fleet's bucket does not answer",
    };
  }
  if (status === 429 || (code !== undefined && BUSY.has(code))) {
    return {
      what: `the store at ${host} has too much to do (${said})`,
      todo: "see what it is busy with, or wait",
      reason: "the fleet's bucket has too much to do",
    };
  }
  return {
    what: `the store at ${host} answered ${said}`,
    todo: "see what its log says of it",
    reason: "the fleet's bucket answered with an error",
  };
}

function refused(what: string, todo: string): Said {
  return { what, todo, reason: "the fleet's bucket refuses this node" };
}

/** What can be told of anything that the SDK, undici or the system has thrown. */
export function seenOf(error: unknown): SeenFailure {
  const { name, code, $metadata } = propertiesOf(error);
  const status = propertiesOf($metadata).httpStatusCode;
  const isAnswered = typeof status === "number" && status > 0;
  const own = isAnswered ? name : (code ?? name);
  return { ...(isAnswered && { status }), code: soundCode(own) };
}

/** A store's word may hold anything. */
export function soundCode(code: unknown): string | undefined {
  return typeof code === "string" && /^[A-Za-z][\w.-]{1,60}$/.test(code) ? code : undefined;
}

function propertiesOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}
