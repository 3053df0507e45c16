/**
 * Owns how a bundle names what is in it, so that Granary, skopeo, containerd and Podman each find the names that they look for. The first two
 * annotations are those of others; ours say what a host and a path alone cannot: which part is the upstream, and upper case in Ollama's names.
 * Pure.
 */
import type { Digest } from "../oci/digest.ts";
import { isTag, parseReference } from "../oci/reference.ts";
import { isModelRepository, OLLAMA_REGISTRY } from "../ollama/model-name.ts";

/** A name that a bundle brings, and what it stands for. */
export type BundleName = {
  /** The registry that the name is of, as its Granary called it, or as the archive has it. */
  readonly upstream: string;
  readonly repository: string;
  /** undefined for what has no tag and goes by its digest. */
  readonly tag: string | undefined;
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes of the manifest. */
  readonly size: number;
  /** The name as people write it that this is attached to: a signature, an SBOM. */
  readonly attachedTo?: string;
};

/** What containerd, ctr, nerdctl and `docker load` read: the whole reference. */
const CONTAINERD_NAME = "io.containerd.image.name";
/** opencontainers/image-spec annotations.md: what skopeo's `oci-archive:FILE:NAME` and Podman compare with NAME. */
const REF_NAME = "org.opencontainers.image.ref.name";
const UPSTREAM = "io.granary.upstream";
const REPOSITORY = "io.granary.repository";
const TAG = "io.granary.tag";

/** Longer than every name that a registry has. */
const LONGEST = 600;

/** As a person writes it: `docker.io/library/alpine:3.22`, or with a digest where there is no tag. */
export function textOfName({
  upstream,
  repository,
  tag,
  digest,
}: Pick<BundleName, "upstream" | "repository" | "tag" | "digest">): string {
  return `${upstream}/${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`;
}

/** The annotations of the name's entry in index.json. What is attached and has no tag is no image that others should make of it by a name. */
export function annotationsOf(name: BundleName): Readonly<Record<string, string>> {
  const text = textOfName(name);
  const isImage = name.attachedTo === undefined || name.tag !== undefined;
  return {
    ...(isImage && { [CONTAINERD_NAME]: text }),
    [UPSTREAM]: name.upstream,
    [REPOSITORY]: name.repository,
    ...(name.tag !== undefined && { [TAG]: name.tag }),
    ...(isImage && { [REF_NAME]: text }),
  };
}

type Named = Pick<BundleName, "upstream" | "repository" | "tag">;

/** The name that an entry with these annotations has; undefined where they name nothing, or only a tag. */
export function nameIn(annotations: Readonly<Record<string, string>>): Named | undefined {
  const own = ownName(annotations);
  if (own !== undefined) return own;
  for (const key of [CONTAINERD_NAME, REF_NAME]) {
    const found = foreignName(annotations[key]);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The annotations of an entry of which only the tag is known. */
export function bareTag(tag: string): Readonly<Record<string, string>> {
  return { [REF_NAME]: tag };
}

/** The tag alone, where that is all that an entry says: a name is then completed by whoever imports it. */
export function bareTagIn(annotations: Readonly<Record<string, string>>): string | undefined {
  const text = annotations[REF_NAME];
  return text !== undefined && isTag(text) ? text : undefined;
}

function ownName(annotations: Readonly<Record<string, string>>): Named | undefined {
  const { [UPSTREAM]: upstream, [REPOSITORY]: repository, [TAG]: tag } = annotations;
  if (upstream === undefined || repository === undefined) return undefined;
  if (upstream.length + repository.length > LONGEST) return undefined;
  return tag === undefined || isTag(tag) ? { upstream, repository, tag } : undefined;
}

/** A whole reference, with a host or a path in it: a single word may be a tag as well as an image of Docker Hub. */
function foreignName(text: string | undefined): Named | undefined {
  if (text === undefined || text.length > LONGEST || !/[/:]/.test(text)) return undefined;
  return modelName(text) ?? imageName(text);
}

function imageName(text: string): Named | undefined {
  try {
    const { registry, repository, tag, digest } = parseReference(text);
    return { upstream: registry, repository, tag: digest === undefined ? tag : undefined };
  } catch {
    return undefined; // Archives name images as they like.
  }
}

/** Ollama's registry has names that images cannot have. */
function modelName(text: string): Named | undefined {
  const prefix = `${OLLAMA_REGISTRY}/`;
  if (!text.startsWith(prefix)) return undefined;
  const [repository = "", tag] = text.slice(prefix.length).split(":");
  if (!isModelRepository(repository) || (tag !== undefined && !isTag(tag))) return undefined;
  return { upstream: OLLAMA_REGISTRY, repository, tag };
}
