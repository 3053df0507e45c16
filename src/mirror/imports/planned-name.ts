/**
 * Owns the judgement on each name of a bundle before anything is written: whether this Granary can serve it, what it consists of, what of that
 * is here, and whether its tag is taken. It writes nothing.
 */
import { hostedNames, rootOf } from "../../bundle/attached-names.ts";
import type { ListedName } from "../../bundle/bundle-index.ts";
import type { BundleName } from "../../bundle/bundle-name.ts";
import { textOfName } from "../../bundle/bundle-name.ts";
import { bundleParts, type Parts } from "../../bundle/parts-of.ts";
import { GranaryError, messageOf } from "../../errors.ts";
import type { Metadata, RepositoryKey, TagKey } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import { DEFAULT_TAG, isRepositoryName, parseReference } from "../../oci/reference.ts";
import { isModelRepository } from "../../ollama/model-name.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import type { Upstream } from "../../upstream/policy.ts";
import type { BundleHead } from "./bundle-head.ts";
import type { ImportOutcome } from "./import-report.ts";

type NamedUpstream = Pick<Upstream, "name" | "aliases" | "names">;

export type PlanParts = {
  readonly upstreams: () => readonly NamedUpstream[];
  readonly metadata: Pick<Metadata, "tag" | "manifest" | "link">;
  readonly store: Pick<BlobStore, "stat">;
  /** Whether every client may have this already; of what is here and is not for everybody the bundle has to have the bytes. */
  readonly isEverybodys: (digest: Digest) => Promise<boolean>;
};

export type PlanOptions = {
  /** A tag that is here and stands for something else is moved. */
  readonly replace: boolean;
  /** The name that the only thing of the bundle gets; what is attached to it follows. */
  readonly as?: string;
};

/** A name of the bundle, and what is to be done about it. `verdict` is undefined as long as nothing speaks against importing it. */
export type PlannedName = {
  readonly text: string;
  readonly digest: Digest;
  readonly where: RepositoryKey;
  readonly tag: string | undefined;
  readonly parts: Parts;
  readonly size: number;
  /** Blobs that the bundle has to bring, with their sizes in bytes: those that are not stored yet, or not for everybody. */
  readonly missing: Map<Digest, number>;
  readonly before: Digest | undefined;
  verdict: { readonly outcome: ImportOutcome; readonly reason?: string } | undefined;
};

const NO_PARTS: Parts = { manifests: [], blobs: new Map(), absent: [] };

/** One entry for each name of `head`, in its order. Throws `reference-invalid` where `as` cannot be used. */
export async function planNames(
  head: BundleHead,
  parts: PlanParts,
  options: PlanOptions,
): Promise<PlannedName[]> {
  const planned: PlannedName[] = [];
  const names = namesHere(head, options.as, parts.upstreams());
  const others = doubtful(names);
  for (const listed of names) {
    const { upstream, repository, tag, digest } = listed;
    const name = { ...listed, upstream: upstream ?? "", repository: repository ?? "" };
    const text = upstream === undefined ? (tag ?? digest) : textOfName(name);
    const refuse = (outcome: ImportOutcome, reason: string) =>
      planned.push({ ...unplanned(name, text), verdict: { outcome, reason } });
    const other = others.get(listed);
    if (other !== undefined) {
      const reason = `The bundle has another thing of this name, ${other}: nobody knows which one is meant.`;
      refuse("refused", reason);
      continue;
    }
    try {
      planned.push(await planName(name, text, head, parts, options));
    } catch (error) {
      if (!(error instanceof GranaryError)) throw error;
      const isDamaged = head.damaged.has(digest) || error.code === "digest-mismatch";
      refuse(isDamaged ? "damaged" : error.code === "not-found" ? "incomplete" : "refused", messageOf(error));
    }
  }
  return planned;
}

async function planName(
  name: BundleName,
  text: string,
  head: BundleHead,
  { upstreams, metadata, store, isEverybodys }: PlanParts,
  { replace }: PlanOptions,
): Promise<PlannedName> {
  const where = { upstream: upstreamFor(name, upstreams()).name, repository: name.repository };
  const { digest, mediaType, tag } = name;
  const parts = bundleParts({ digest, mediaType }, head.manifests, text);
  checkManifests(parts, digest, text, head);
  const missing = new Map<Digest, number>();
  for (const [blob, size = 0] of parts.blobs)
    if ((await store.stat(blob)) === undefined || !(await isEverybodys(blob))) missing.set(blob, size);
  const known = tag === undefined ? undefined : await metadata.tag(tagKeyOf(where, tag));
  const before = known === undefined || known.digest === digest ? undefined : known.digest;
  const isHere = missing.size === 0 && before === undefined && (await isImported(metadata, where, parts));
  const isPresent = isHere && (tag === undefined || known?.importedAt !== undefined);
  const kept = `The tag is here and stands for ${before}, which stays: --replace moves it.`;
  return {
    ...{ text, digest, where, tag, parts, missing, before },
    size: sizeOf(parts),
    verdict: isPresent
      ? { outcome: "present" }
      : before !== undefined && !replace
        ? { outcome: "kept", reason: kept }
        : undefined,
  };
}

async function isImported(
  metadata: PlanParts["metadata"],
  where: RepositoryKey,
  { manifests, blobs }: Parts,
): Promise<boolean> {
  for (const { manifest } of manifests)
    if ((await metadata.manifest(manifest.digest)) === undefined) return false;
  for (const digest of [...manifests.map(({ manifest }) => manifest.digest), ...blobs.keys()])
    if ((await metadata.link(where, digest))?.isImported !== true) return false;
  return true;
}

export function tagKeyOf(where: RepositoryKey, tag: string): TagKey {
  return { ...where, tag, acceptClass: "" };
}

function unplanned({ digest, tag, upstream, repository }: BundleName, text: string): PlannedName {
  const where = { upstream, repository };
  return {
    ...{ text, digest, where, tag, parts: NO_PARTS, size: 0, missing: new Map(), before: undefined },
    verdict: undefined,
  };
}

function sizeOf({ manifests, blobs }: Parts): number {
  const documents = manifests.reduce((sum, { manifest }) => sum + manifest.bytes.length, 0);
  return [...blobs.values()].reduce<number>((sum, size = 0) => sum + size, documents);
}

/** Throws `digest-mismatch` and `not-found`: of an index one of its manifests is enough. */
function checkManifests({ manifests, absent }: Parts, digest: Digest, text: string, head: BundleHead): void {
  const damaged = [digest, ...absent].find((each) => head.damaged.has(each));
  if (damaged !== undefined)
    throw new GranaryError("digest-mismatch", `The bytes of the manifest ${damaged} are wrong.`);
  if (absent.includes(digest))
    throw new GranaryError("not-found", `The bundle lacks the manifest ${digest} of ${text}.`);
  if (absent.length > 0 && manifests.length === 1)
    throw new GranaryError("not-found", `The bundle lacks all manifests that the index ${digest} lists.`);
}

/** Throws `route-unknown` and `reference-invalid`, each with what to do. */
function upstreamFor(
  { upstream, repository }: BundleName,
  upstreams: readonly NamedUpstream[],
): NamedUpstream {
  if (upstream === "")
    throw new GranaryError("reference-invalid", "It has no name in the bundle: give it one with --as NAME.");
  const host = upstream.toLowerCase();
  const found = upstreams.find(({ name, aliases }) =>
    [name, ...aliases].some((each) => each.toLowerCase() === host),
  );
  if (found === undefined) {
    const names = upstreams.map(({ name }) => name).join(", ");
    const text = `No upstream "${upstream}" is configured here, so nobody could pull it (there are ${names}): add it under "upstreams", or give another name with --as NAME. What was pulled through a Granary is called after that: --rename ${upstream}=REGISTRY says what it stands for.`;
    throw new GranaryError("route-unknown", text);
  }
  const isName = found.names === "ollama" ? isModelRepository(repository) : isRepositoryName(repository);
  if (isName) return found;
  const text = `"${repository.slice(0, 200)}" is not a repository name of ${found.name}: give another one with --as NAME.`;
  throw new GranaryError("reference-invalid", text);
}

/** Names that stand for several things: each entry of such a name, with the digest of another one. */
function doubtful(names: readonly ListedName[]): ReadonlyMap<ListedName, Digest> {
  const textOf = ({ upstream, repository, tag }: ListedName) => JSON.stringify([upstream, repository, tag]);
  const tagged = names.filter(({ tag, repository }) => tag !== undefined && repository !== undefined);
  const first = new Map<string, ListedName>();
  const found = new Map<ListedName, Digest>();
  for (const name of tagged) {
    const known = first.get(textOf(name)) ?? name;
    first.set(textOf(name), known);
    if (known.digest === name.digest) continue;
    found.set(name, known.digest);
    found.set(known, name.digest);
  }
  // The first one of a name may have come again before another one did.
  for (const name of tagged) {
    const known = first.get(textOf(name));
    const other = known && found.get(known);
    if (other !== undefined && !found.has(name)) found.set(name, other);
  }
  return found;
}

/** The names as they are imported: what is attached to something else goes into its repository, by whatever name that comes in. */
function namesHere(
  { names, manifests }: BundleHead,
  as: string | undefined,
  upstreams: readonly NamedUpstream[],
): readonly ListedName[] {
  const hosted = hostedNames(names, (digest) => manifests.get(digest));
  const hosts = new Map(hosted.map(({ name, host }) => [name, host]));
  const roots = names.filter((name) => hosts.get(name) === undefined);
  const given = as === undefined ? undefined : asName(as, roots, upstreams);
  return names.map((name) => {
    const root = rootOf(name, hosts);
    const isMoved = root !== name && (given !== undefined || name.repository === undefined);
    if (root === name) return { ...name, ...given };
    const { upstream, repository } = { ...root, ...given };
    return isMoved ? { ...name, upstream, repository } : name;
  });
}

/** The one name that was given for the one thing that the bundle has. */
function asName(as: string, roots: readonly ListedName[], upstreams: readonly NamedUpstream[]) {
  const distinct = new Set(roots.map(({ digest }) => digest));
  if (distinct.size !== 1) {
    const text = `--as gives one name, and the source has ${distinct.size} things: choose one of them.`;
    throw new GranaryError("reference-invalid", text);
  }
  const slash = as.indexOf("/");
  const model = upstreams.find(
    ({ name, names: kind }) => kind === "ollama" && name === as.slice(0, Math.max(0, slash)),
  );
  if (model !== undefined) {
    const [repository = "", tag = DEFAULT_TAG] = as.slice(slash + 1).split(":");
    return { upstream: model.name, repository, tag };
  }
  const { registry: upstream, repository, tag } = parseReference(as);
  return { upstream, repository, tag };
}
