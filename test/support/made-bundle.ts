/**
 * Owns bundles made by hand for tests of imports: images, indexes and models whose parts can be left out, put into another order, or written
 * with wrong bytes. What they say may be wrong: that is what the tests are about.
 */
import { pack } from "tar-stream";
import { type Digest, digestOf, encodedOf } from "../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { patternBytes } from "./pattern.ts";

export type MadeThing = {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly blobs: readonly Buffer[];
  readonly children: readonly MadeThing[];
};

export function madeImage(seed: number, layers: readonly number[] = [1_000, 70_000]): MadeThing {
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", seed }));
  const bytes = layers.map((size, index) => patternBytes(seed * 100 + index, 0, size));
  const described = (mediaType: string, blob: Buffer) => ({
    ...{ mediaType, digest: digestOf(blob), size: blob.length },
  });
  const manifest = json({
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: described("application/vnd.oci.image.config.v1+json", config),
    layers: bytes.map((layer) => described("application/vnd.oci.image.layer.v1.tar", layer)),
  });
  return {
    digest: digestOf(manifest),
    mediaType: OCI_MANIFEST,
    manifest,
    blobs: [config, ...bytes],
    children: [],
  };
}

export function madeIndex(children: Readonly<Record<string, MadeThing>>): MadeThing {
  const manifests = Object.entries(children).map(([platform, { mediaType, digest, manifest }]) => {
    const [os, architecture] = platform.split("/");
    return { mediaType, digest, size: manifest.length, platform: { os, architecture } };
  });
  const manifest = json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests });
  const all = Object.values(children);
  return { digest: digestOf(manifest), mediaType: OCI_INDEX, manifest, blobs: [], children: all };
}

export type BundleOptions = {
  /** Left out of the tar. */
  readonly without?: readonly Digest[];
  /** Get one wrong byte in the middle. */
  readonly wrong?: readonly Digest[];
  /** Only so many bytes of it. */
  readonly cutAt?: number;
};

/** A bundle with these names, as Granary writes it. */
export async function madeBundle(
  names: Readonly<Record<string, MadeThing>>,
  { without = [], wrong = [], cutAt }: BundleOptions = {},
): Promise<Buffer> {
  const entries = Object.entries(names).map(([name, { mediaType, digest, manifest }]) => ({
    ...{ mediaType, digest, size: manifest.length },
    annotations: { "io.containerd.image.name": name, "org.opencontainers.image.ref.name": name },
  }));
  const things = Object.values(names).flatMap(withChildren);
  const files = new Map<Digest, Buffer>();
  for (const { digest, manifest } of things) files.set(digest, manifest);
  for (const { blobs } of things) for (const blob of blobs) files.set(digestOf(blob), blob);
  const tar = pack();
  tar.entry({ name: "index.json" }, json({ schemaVersion: 2, mediaType: OCI_INDEX, manifests: entries }));
  for (const [digest, bytes] of files) {
    if (without.includes(digest)) continue;
    const content = wrong.includes(digest) ? withWrongByte(bytes) : bytes;
    tar.entry({ name: `blobs/sha256/${encodedOf(digest)}` }, content);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(Buffer.from(chunk as Uint8Array));
  return Buffer.concat(chunks).subarray(0, cutAt);
}

export async function* inPieces(bytes: Uint8Array, size = 64 * 1024): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

function withChildren(thing: MadeThing): MadeThing[] {
  return [thing, ...thing.children.flatMap(withChildren)];
}

function withWrongByte(bytes: Buffer): Buffer {
  const copy = Buffer.from(bytes);
  const middle = Math.floor(copy.length / 2);
  copy[middle] = (copy[middle] ?? 0) ^ 0xff;
  return copy;
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}
