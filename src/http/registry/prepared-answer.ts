/**
 * Owns the text of an answer that is given at once, made of the same headers as the answers of the routes. It is made anew whenever something in
 * it changes: at least each second, with the date.
 */
import type { ManifestAnswer } from "../../mirror/mirror.ts";
import type { Digest } from "../../oci/digest.ts";
import type { Route } from "../../routing/routing.ts";
import { answerText } from "../answers/answer-text.ts";
import { withIdentity } from "./manifest-route.ts";
import { BASE_BODY, BASE_TYPE, commonHeaders } from "./registry-routes.ts";

/** What the Mirror gives for a request; no answer for the base endpoint, which needs none. */
export type Found = { readonly status: 200 | 304; readonly answer: ManifestAnswer | undefined };

export type Prepared = {
  readonly text: string;
  readonly status: number;
  /** Bytes of the body that are sent. */
  readonly length: number;
  readonly digest: Digest | undefined;
  readonly mediaType: string | undefined;
  /** Both in whole seconds: of the answer, and of the date. */
  readonly age: number;
  readonly second: number;
};

/** What else the text depends on. It never changes for one request. */
type Form = {
  readonly route: Route;
  readonly isOllama: boolean;
  /** False for a HEAD and a 304. */
  readonly isSent: boolean;
};

/** Whether the text is right for `found` at `now` (epoch ms). */
export function isCurrent(prepared: Prepared, { status, answer }: Found, now: number): boolean {
  return (
    prepared.second === seconds(now) &&
    prepared.status === status &&
    prepared.digest === answer?.manifest.digest &&
    prepared.mediaType === answer?.manifest.mediaType &&
    prepared.age === seconds(answer?.ageMs ?? 0)
  );
}

/** undefined where a header would have a value that cannot be sent. */
export function prepare(form: Form, found: Found, now: number): Prepared | undefined {
  const { status, answer } = found;
  const headers = commonHeaders(form.route);
  const whole = answer === undefined ? BASE_BODY : Buffer.from(answer.manifest.bytes).toString("latin1");
  if (answer === undefined) headers.push(...BASE_TYPE);
  else {
    const { digest, mediaType } = answer.manifest;
    withIdentity({ isOllama: form.isOllama, headers }, { ...answer, digest, mediaType });
    if (status === 200) headers.push("Content-Type", mediaType);
  }
  if (status === 200) headers.push("Content-Length", String(whole.length));
  const body = form.isSent ? whole : "";
  const text = answerText(status, headers, body, now);
  if (text === undefined) return undefined;
  const manifest = answer?.manifest;
  return {
    ...{ text, status, length: body.length, digest: manifest?.digest, mediaType: manifest?.mediaType },
    ...{ age: seconds(answer?.ageMs ?? 0), second: seconds(now) },
  };
}

function seconds(ms: number): number {
  return Math.floor(ms / 1000);
}
