/**
 * Owns the questions to one upstream about one tag: by HEAD where that tells enough, else by GET. It remembers no answer and does not
 * decide what an absence means.
 */
import type { TagKey, TagRecord } from "../../metadata/metadata.ts";
import { toldHead } from "../../oci/manifest.ts";
import type { ManifestHead } from "../../source.ts";
import type { OnAbsent, UpstreamClient } from "../../upstream/upstream-client.ts";
import { headOf, type ManifestBytes } from "../manifests/manifest-bytes.ts";

export type TagQuestion = {
  readonly client: UpstreamClient;
  readonly key: TagKey;
  readonly accept: readonly string[];
  readonly userAgent: string | undefined;
  /** How many tags had been expired when somebody began to wait: the answer says nothing of what was pushed after that. */
  readonly expiries: number;
  readonly onAbsent?: OnAbsent;
  /** Called with what the tag means now, before anything of it is recorded; where it throws, nothing is. */
  readonly admit?: (head: ManifestHead) => Promise<void>;
};

/**
 * Digest, type and size by one HEAD; by a GET as well where the HEAD does not tell them all. `known` is what was stored of this tag, which
 * is returned where the upstream still names its digest. undefined when the HEAD finds nothing: some registries answer only GET, so that
 * alone does not make the tag absent.
 */
export async function headTag(
  question: TagQuestion,
  bytes: ManifestBytes,
  known?: TagRecord,
): Promise<ManifestHead | undefined> {
  const head = await question.client.headManifest(askOf(question));
  if (head === undefined) return undefined;
  // The same digest is the same manifest, whatever type is told: the Ollama registry calls every manifest text/plain.
  if (known !== undefined && (await isSame(known, head.digest, bytes))) return known;
  const told = toldHead(head);
  if (told === undefined) return await getTag(question, bytes);
  await question.admit?.(told);
  await bytes.confirm(question.key, told);
  return told;
}

/** The tag's manifest by GET, which is recorded; undefined when it is not there. */
export async function getTag(question: TagQuestion, bytes: ManifestBytes): Promise<ManifestHead | undefined> {
  const { client, key } = question;
  const body = await client.getManifest(askOf(question));
  if (body !== undefined) await question.admit?.(headOf(bytes.read(key, body, key.tag)));
  return body && headOf(await bytes.record(key, body, key.tag));
}

async function isSame(
  known: TagRecord,
  digest: TagRecord["digest"] | undefined,
  bytes: ManifestBytes,
): Promise<boolean> {
  if (digest === undefined) return false;
  return digest === known.digest || (await bytes.isPayload(known.digest, digest));
}

function askOf({ key, accept, userAgent, onAbsent }: TagQuestion) {
  const ask = { repository: key.repository, reference: key.tag, accept, userAgent };
  return onAbsent === undefined ? ask : { ...ask, onAbsent };
}
