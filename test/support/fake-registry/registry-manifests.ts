/** Owns how the fake answers for manifests: Accept rules, conditional requests, and the pull budget. */
import { encodedOf } from "../../../src/oci/digest.ts";
import { DOCKER_LIST, DOCKER_MANIFEST, OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import type { RequestRecord } from "./account.ts";
import type { StoredManifest } from "./contents.ts";
import { errorReply, type RegistryAnswer, type RegistryState } from "./registry-answer.ts";
import { bytesReply, textReply } from "./send-reply.ts";

export function answerManifest(record: RequestRecord, caller: string, state: RegistryState): RegistryAnswer {
  const { settings } = state;
  const outdated = settings.outdated;
  if (outdated !== undefined && !outdated.unlessUserAgent.test(record.headers["user-agent"] ?? "")) {
    return textReply(412, outdated.text, { "content-type": "text/plain; charset=utf-8" });
  }
  const found = state.contents.manifestIn(record.repository ?? "", record.reference ?? "");
  const chosen = found === undefined ? undefined : choose(found, record, state);
  if (chosen === undefined) return errorReply(404, "MANIFEST_UNKNOWN", "manifest unknown");
  if (typeof chosen === "string") return errorReply(settings.untakenStatus, "MANIFEST_UNKNOWN", chosen);
  const isUnchanged = settings.conditional && matches(record.headers["if-none-match"], chosen.digest);
  const counts = record.method === "GET" && (!isUnchanged || settings.conditionalCounts);
  const budget = spend(caller, counts, state);
  if (budget === "spent") return tooMany(state);
  const headers = { ...manifestHeaders(chosen, state), ...budget };
  return isUnchanged ? { status: 304, headers } : bytesReply(200, chosen.bytes, headers);
}

function manifestHeaders(
  { digest, mediaType }: StoredManifest,
  { settings }: RegistryState,
): Record<string, string> {
  if (settings.plainTextManifests) {
    return { "content-type": "text/plain; charset=utf-8", "ollama-content-digest": encodedOf(digest) };
  }
  return {
    "content-type": mediaType,
    "docker-content-digest": digest,
    "docker-distribution-api-version": "registry/2.0",
    etag: `"${digest}"`,
  };
}

/** What Docker Hub makes of Accept: the manifest, another one, or a sentence. */
function choose(
  found: StoredManifest,
  record: RequestRecord,
  { settings, contents }: RegistryState,
): StoredManifest | string | undefined {
  const accept = record.headers.accept ?? "*/*";
  if (!settings.acceptRules || accept.includes("*/*") || accept.includes(found.mediaType)) return found;
  if (found.mediaType === OCI_INDEX) {
    return "OCI index found, but Accept header does not support OCI indexes";
  }
  if (found.mediaType === OCI_MANIFEST) {
    return "OCI manifest found, but Accept header does not support OCI manifests";
  }
  if (![DOCKER_LIST, DOCKER_MANIFEST].includes(found.mediaType))
    return "manifest found, but Accept header does not list its type";
  if (found.mediaType !== DOCKER_LIST || !accept.includes(DOCKER_MANIFEST)) return found;
  const { manifests } = JSON.parse(found.bytes.toString("utf8")) as {
    manifests: { digest: string; platform?: { architecture: string } }[];
  };
  const child = manifests.find((entry) => entry.platform?.architecture === "amd64");
  return child && contents.manifestIn(record.repository ?? "", child.digest);
}

function matches(header: string | undefined, digest: string): boolean {
  return header !== undefined && header.replaceAll('"', "") === digest;
}

/** The `ratelimit-*` headers after this request, or "spent". */
function spend(
  caller: string,
  counts: boolean,
  { settings, spent }: RegistryState,
): Record<string, string> | "spent" {
  if (settings.rateLimit === undefined) return {};
  const { limit, windowSeconds } = settings.rateLimit;
  const before = spent.get(caller) ?? 0;
  if (before >= limit) return "spent";
  if (counts) spent.set(caller, before + 1);
  return {
    "ratelimit-limit": `${limit};w=${windowSeconds}`,
    "ratelimit-remaining": `${limit - before - (counts ? 1 : 0)};w=${windowSeconds}`,
    "docker-ratelimit-source": "192.0.2.1",
  };
}

function tooMany({ settings }: RegistryState): RegistryAnswer {
  const message =
    "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit";
  const headers = settings.retryAfter === undefined ? {} : { "retry-after": settings.retryAfter };
  return errorReply(429, "TOOMANYREQUESTS", message, { headers });
}
