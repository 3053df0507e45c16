/**
 * Owns the stand-in for the Ollama registry: the fake registry in its manners (text/plain manifests, blobs by 307 to
 * a signed CDN URL) with models of generated content, so that gigabytes need no room.
 */
import { DOCKER_MANIFEST } from "../../../src/oci/media-types.ts";
import { type FakeRegistry, startFakeRegistry } from "../../support/fake-registry.ts";
import type { BlobPlace } from "../../support/ollama-client/blob-place.ts";
import { PatternPlace } from "../../support/ollama-client/pattern-place.ts";
import type { ModelLayer } from "../../support/ollama-client.ts";

export type Pattern = { readonly seed: number; readonly size: number };

export type FakeModel = {
  /** "library/llama3.2". */
  readonly repository: string;
  readonly tag: string;
  readonly manifestDigest: string;
  /** Content by digest, in the manifest's order with the config last; the first one is the model itself. */
  readonly blobs: ReadonlyMap<string, Pattern>;
};

const SMALL = [
  ["template", 1_429],
  ["license", 12_320],
  ["system", 487],
  ["params", 96],
] as const;

export async function startOllamaUpstream(cleanup: AsyncDisposableStack): Promise<FakeRegistry> {
  const fake = await startFakeRegistry({ mode: "ollama" });
  cleanup.defer(() => fake.close());
  return fake;
}

/** A model with one layer of `size` bytes, four small ones and a config, all made from `seed`. */
export function addModel(fake: FakeRegistry, repository: string, { seed, size }: Pattern): FakeModel {
  const blobs = new Map<string, Pattern>();
  const add = (kind: string, pattern: Pattern) => {
    const digest = fake.addGeneratedBlob(pattern, repository);
    blobs.set(digest, pattern);
    return { mediaType: kind, digest, size: pattern.size };
  };
  const layers = [["model", size] as const, ...SMALL].map(([role, bytes], index) =>
    add(`application/vnd.ollama.image.${role}`, { seed: seed + index, size: bytes }),
  );
  const config = add("application/vnd.docker.container.image.v1+json", { seed: seed + 9, size: 561 });
  const manifest = { schemaVersion: 2, mediaType: DOCKER_MANIFEST, config, layers };
  const bytes = Buffer.from(JSON.stringify(manifest));
  const manifestDigest = fake.addManifest(repository, "latest", bytes, DOCKER_MANIFEST);
  return { repository, tag: "latest", manifestDigest, blobs };
}

/** Digest and content of the one big layer. */
export function bigLayerOf({ blobs }: FakeModel): { readonly digest: string; readonly pattern: Pattern } {
  for (const [digest, pattern] of blobs) return { digest, pattern };
  throw new Error("a model has layers");
}

/** Where a client puts `layer` when its bytes are to be checked, not kept. */
export function checkedPlace({ blobs }: FakeModel, layer: ModelLayer): BlobPlace {
  const pattern = blobs.get(layer.digest);
  if (pattern === undefined) throw new Error(`the model has no ${layer.digest}`);
  return new PatternPlace(pattern);
}
