/** Owns the fake's lists: tags with n, last and Link; referrers in the four ways that registries answer them. */
import { OCI_INDEX } from "../../../src/oci/media-types.ts";
import type { RequestRecord } from "./account.ts";
import { errorReply, type RegistryAnswer, type RegistryState } from "./registry-answer.ts";
import { textReply } from "./send-reply.ts";

export function answerTags(record: RequestRecord, repository: string, state: RegistryState): RegistryAnswer {
  const all = [...state.contents.repository(repository).tags.keys()].sort();
  const { paging, tagsPerPage } = state.settings;
  const asked = record.query.get("n");
  const last = paging === "token" ? readToken(record.query) : record.query.get("last");
  const isPaged = tagsPerPage !== "all";
  const after = last === null || !isPaged ? all : all.filter((tag) => tag > last);
  const n = Math.min(asked === null ? after.length : Number(asked), isPaged ? (tagsPerPage ?? 1e9) : 1e9);
  const page = isPaged ? after.slice(0, n) : after;
  const end = page.length > 0 && page.length < after.length ? page.at(-1) : undefined;
  const query = paging === "token" ? writeToken(end) : `last=${end}&n=${asked ?? n}`;
  return textReply(200, JSON.stringify({ name: repository, tags: page }), {
    "content-type": "application/json",
    ...linkTo(`/v2/${repository}/tags/list`, end === undefined ? undefined : query, state),
  });
}

function linkTo(path: string, query: string | undefined, { settings, registryUrl }: RegistryState) {
  if (query === undefined) return {};
  const url = `${path}?${query}`;
  return { link: `<${settings.link === "absolute" ? `${registryUrl}${url}` : url}>; rel="next"` };
}

/** No other registry could make one, and this one takes it only as it was made. */
function writeToken(after: string | undefined): string {
  return `next_page=${encodeURIComponent(Buffer.from(`after ${after}`).toString("base64"))}`;
}

function readToken(query: URLSearchParams): string | null {
  const token = query.get("next_page");
  if (token === null) return null;
  const [, after] = /^after (.*)$/.exec(Buffer.from(token, "base64").toString("utf8")) ?? [];
  return after ?? "~";
}

export function answerReferrers(record: RequestRecord, state: RegistryState): RegistryAnswer {
  const { referrers } = state.settings;
  if (referrers === "404") return errorReply(404, "NOT_FOUND", "no such route");
  if (referrers === "401") return errorReply(401, "UNAUTHORIZED", "not for you");
  if (referrers === "html") {
    return textReply(200, "<!doctype html><title>Sign in</title>", { "content-type": "text/html" });
  }
  const all = referringTo(record, state);
  const from = Number(readToken(record.query) ?? 0);
  const to = from + (state.settings.referrersPerPage ?? all.length);
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: all.slice(from, to) };
  const query = to < all.length ? writeToken(String(to)) : undefined;
  return textReply(200, JSON.stringify(index), {
    "content-type": OCI_INDEX,
    ...linkTo(`/v2/${record.repository}/referrers/${record.reference}`, query, state),
  });
}

function referringTo({ repository, reference }: RequestRecord, { contents }: RegistryState): unknown[] {
  const manifests = [...contents.repository(repository ?? "").manifests.values()];
  return manifests.flatMap(({ digest, mediaType, bytes }) => {
    const view = JSON.parse(bytes.toString("utf8")) as {
      subject?: { digest: string };
      artifactType?: string;
    };
    if (view.subject?.digest !== reference) return [];
    return [{ digest, mediaType, size: bytes.length, artifactType: view.artifactType }];
  });
}
