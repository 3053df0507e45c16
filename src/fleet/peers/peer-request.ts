/**
 * Owns how one node asks another: the paths, the words in them, and the proof that the asker knows the fleet's secret. Pure. The secret itself
 * never travels: what travels is a code over this very request, for this very node, so that it opens nothing else. What the running transfer is
 * asked for carries its epoch, which is inside the code: with the next epoch the same request is worth nothing.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { ByteRange } from "../../bytes/byte-range.ts";
import { formatRangeHeader } from "../../bytes/http-range.ts";
import { type Digest, parseDigest } from "../../oci/digest.ts";
import type { Epoch } from "../fleet.ts";

/** What a node can be asked for of a blob: bytes of the transfer that it runs for the fleet, bytes that it has for whatever reason, and which those are. */
export type BlobQuestion =
  | { readonly kind: "filling"; readonly upstream: string; readonly digest: Digest; readonly epoch: Epoch }
  | { readonly kind: "kept"; readonly upstream: string; readonly digest: Digest }
  | { readonly kind: "map"; readonly upstream: string; readonly digest: Digest };

/** And what it tells people of what happened there; what the words mean is for who answers. */
export type RecordsQuestion = {
  readonly kind: "events" | "traffic";
  readonly words: Readonly<Record<string, string>>;
};

export type PeerQuestion = BlobQuestion | RecordsQuestion;

const PREFIX = "/fleet/v1/";
const SCHEME = "Granary-Fleet";
/** For questions without an epoch: how far the clocks of two nodes may be apart. */
const SKEW_MS = 300_000;
const LONGEST_NAME = 256;
/** Of a question about records: a few names that people typed. */
const LONGEST_WORDS = 8_192;

/** Path and query. */
export function pathOf(question: PeerQuestion): string {
  if (isOfRecords(question)) return `${PREFIX}${question.kind}?${new URLSearchParams(question.words)}`;
  const { kind, upstream, digest } = question;
  const words = new URLSearchParams({ upstream, digest });
  if (question.kind === "filling") words.set("epoch", String(question.epoch));
  return `${PREFIX}${kind}?${words}`;
}

export function isOfRecords(question: PeerQuestion): question is RecordsQuestion {
  return question.kind === "events" || question.kind === "traffic";
}

/** undefined for everything that is no such question. Nothing longer than such a question can be is looked at. */
export function parsePath(text: string): PeerQuestion | undefined {
  if (!text.startsWith(PREFIX) || text.length > PREFIX.length + LONGEST_WORDS) return undefined;
  const [kind = "", query = ""] = text.slice(PREFIX.length).split("?", 2);
  const words = new URLSearchParams(query);
  if (kind === "events" || kind === "traffic") return { kind, words: Object.fromEntries(words) };
  return text.length > PREFIX.length + 4 * LONGEST_NAME ? undefined : blobQuestion(kind, words);
}

function blobQuestion(kind: string, words: URLSearchParams): BlobQuestion | undefined {
  const upstream = words.get("upstream") ?? "";
  const digest = digestOf(words.get("digest"));
  if (digest === undefined || upstream === "" || upstream.length > LONGEST_NAME) return undefined;
  if (kind === "kept" || kind === "map") return { kind, upstream, digest };
  const epoch = Number(words.get("epoch") ?? "x");
  return kind === "filling" && Number.isSafeInteger(epoch) ? { kind, upstream, digest, epoch } : undefined;
}

function digestOf(text: string | null): Digest | undefined {
  try {
    return parseDigest(text ?? "");
  } catch {
    // Whoever asks with no digest is told that there is nothing of that name.
    return undefined;
  }
}

export type SignedParts = {
  /** Path and query, as they are sent. */
  readonly path: string;
  /** The value of the `Range` header; "" where there is none. */
  readonly range: string;
  /** The node that is asked. */
  readonly node: string;
  /** Epoch ms, of the asker. */
  readonly at: number;
};

export function rangeOf(range: ByteRange): string {
  return Number.isFinite(range.end) ? formatRangeHeader(range) : "";
}

/** The value of the `Authorization` header. */
export function sign(secret: string, parts: SignedParts): string {
  return `${SCHEME} at=${parts.at}, code=${codeOf(secret, parts)}`;
}

/** Whether `header` proves that who sent it knows the secret, and means this request of this node; `now` is epoch ms. */
export function isSigned(
  header: string | undefined,
  secret: string,
  parts: Omit<SignedParts, "at">,
  now: number,
): boolean {
  const found = /^Granary-Fleet at=(\d{1,15}), code=([0-9a-f]{64})$/.exec(header ?? "");
  if (found === null) return false;
  const at = Number(found[1]);
  const expected = Buffer.from(codeOf(secret, { ...parts, at }), "hex");
  if (!timingSafeEqual(expected, Buffer.from(found[2] ?? "", "hex"))) return false;
  return parsePath(parts.path)?.kind === "filling" || Math.abs(now - at) <= SKEW_MS;
}

function codeOf(secret: string, { path, range, node, at }: SignedParts): string {
  return createHmac("sha256", secret).update(["GET", path, range, node, at].join("\n")).digest("hex");
}
