/**
 * Owns the registry origin of the fake: the read side of the distribution protocol with Docker Hub's manners
 * (docs/protocol.md#docker-hub). It never sends blob bytes unless told to; the CDN does.
 */
import type { RequestRecord } from "./account.ts";
import { signPath } from "./cdn-origin.ts";
import type { Contents } from "./contents.ts";
import { rangedReply } from "./ranged-reply.ts";
import { errorReply, type RegistryAnswer, type RegistryState, tooManyRequests } from "./registry-answer.ts";
import { answerReferrers, answerTags } from "./registry-lists.ts";
import { answerManifest } from "./registry-manifests.ts";
import { textReply } from "./send-reply.ts";
import { ANONYMOUS } from "./tokens.ts";

export function answerRegistry(record: RequestRecord, state: RegistryState): RegistryAnswer {
  const caller = identify(record, state);
  if (typeof caller !== "string") return caller;
  if (caller === ANONYMOUS && state.settings.anonymousLimits.has(record.kind)) {
    return tooManyRequests({ kind: "rate-limited", ...retryAfterOf(state) });
  }
  if (record.kind === "ping") return textReply(200, "{}", { "content-type": "application/json" });
  const { repository, reference } = record;
  if (repository === undefined || !["GET", "HEAD"].includes(record.method)) {
    return errorReply(404, "UNSUPPORTED", "not here");
  }
  const isKnown = knows(state.contents, repository, reference, record.kind);
  if (!isKnown || !state.tokens.mayRead(caller, repository)) return absentRepository(record, state);
  if (record.kind === "manifest") return answerManifest(record, caller, state);
  if (record.kind === "blob") return answerBlob(record, repository, reference ?? "", state);
  if (record.kind === "tags") return answerTags(record, repository, state);
  return record.kind === "referrers"
    ? answerReferrers(record, state)
    : errorReply(404, "UNSUPPORTED", "not here");
}

function retryAfterOf({ settings: { retryAfter } }: RegistryState): { readonly retryAfter?: string } {
  return retryAfter === undefined ? {} : { retryAfter };
}

/** The caller's name, or the answer that sends the caller away. */
function identify(record: RequestRecord, state: RegistryState): string | RegistryAnswer {
  const { settings, tokens } = state;
  const authorization = record.headers.authorization;
  if (settings.auth === "none") return ANONYMOUS;
  if (settings.auth === "basic") {
    const name = authorization === undefined ? undefined : tokens.identityOf(authorization);
    return name ?? challenge(record, 'Basic realm="fake registry"');
  }
  const token = tokens.find(authorization);
  const covers = record.repository === undefined || token?.repositories.includes(record.repository);
  const isForUs = token?.service === settings.service;
  if (token !== undefined && !token.expired && covers && isForUs) return token.identity;
  return challenge(record, bearerChallenge(record, state, token?.expired === true));
}

function bearerChallenge(
  record: RequestRecord,
  { settings, authUrl }: RegistryState,
  stale: boolean,
): string {
  const realm = (stale ? settings.staleRealm : undefined) ?? settings.realm ?? `${authUrl}/token`;
  const trueScope = record.repository === undefined ? undefined : `repository:${record.repository}:pull`;
  const scope = settings.challengeScope ?? trueScope;
  return `Bearer realm="${realm}",service="${settings.service}"${scope === undefined ? "" : `,scope="${scope}"`}`;
}

function challenge(record: RequestRecord, wwwAuthenticate: string): RegistryAnswer {
  const detail =
    record.repository === undefined
      ? null
      : [{ Type: "repository", Class: "", Name: record.repository, Action: "pull" }];
  return errorReply(401, "UNAUTHORIZED", "authentication required", {
    detail,
    headers: { "www-authenticate": wwwAuthenticate, "docker-ratelimit-source": "192.0.2.1" },
  });
}

/** A blob that no repository was named for makes any repository exist. */
function knows(contents: Contents, repository: string, reference: string | undefined, kind: string): boolean {
  if (contents.repositories.has(repository)) return true;
  return kind === "blob" && contents.blobIn(repository, reference ?? "") !== undefined;
}

function absentRepository(record: RequestRecord, state: RegistryState): RegistryAnswer {
  if (state.settings.hidesAbsence) return challenge(record, bearerChallenge(record, state, false));
  return errorReply(404, "NAME_UNKNOWN", "repository name not known to registry");
}

function answerBlob(
  record: RequestRecord,
  repository: string,
  digest: string,
  { contents, settings, cdnUrl, now }: RegistryState,
): RegistryAnswer {
  const content = contents.blobIn(repository, digest);
  if (content === undefined) return errorReply(404, "BLOB_UNKNOWN", "blob unknown to registry");
  if ((record.method === "HEAD" ? settings.headBlob : settings.getBlob) === "redirect") {
    const location = `${cdnUrl}${signPath(digest, now() + settings.signedForMs)}`;
    return textReply(settings.redirectStatus, "", { location, "content-type": "application/octet-stream" });
  }
  const headers = { etag: `"${digest}"`, "docker-content-digest": digest };
  if (!settings.hidesSizes) return rangedReply(content, record.headers, headers);
  return { status: 200, headers, body: { content, start: 0, end: content.size } };
}
