/** Owns the fake's lists: tags with n, last and Link; referrers in the four ways that registries answer them. */
import { OCI_INDEX } from "../../../src/oci/media-types.ts";
import type { RequestRecord } from "./account.ts";
import { errorReply, type RegistryAnswer, type RegistryState } from "./registry-answer.ts";
import { textReply } from "./send-reply.ts";

export function answerTags(record: RequestRecord, repository: string, state: RegistryState): RegistryAnswer {
  const all = [...state.contents.repository(repository).tags.keys()].sort();
  const last = record.query.get("last");
  const after = last === null ? all : all.filter((tag) => tag > last);
  const n = record.query.get("n");
  const page = n === null ? after : after.slice(0, Number(n));
  const more = page.length > 0 && page.length < after.length;
  const path = `/v2/${repository}/tags/list?last=${page.at(-1)}&n=${n}`;
  const url = state.settings.link === "absolute" ? `${state.registryUrl}${path}` : path;
  return textReply(200, JSON.stringify({ name: repository, tags: page }), {
    "content-type": "application/json",
    ...(more && { link: `<${url}>; rel="next"` }),
  });
}

export function answerReferrers(record: RequestRecord, state: RegistryState): RegistryAnswer {
  const { referrers } = state.settings;
  if (referrers === "404") return errorReply(404, "NOT_FOUND", "no such route");
  if (referrers === "401") return errorReply(401, "UNAUTHORIZED", "not for you");
  if (referrers === "html") {
    return textReply(200, "<!doctype html><title>Sign in</title>", { "content-type": "text/html" });
  }
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests: referringTo(record, state) };
  return textReply(200, JSON.stringify(index), { "content-type": OCI_INDEX });
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
