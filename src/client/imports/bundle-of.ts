/**
 * Owns the bundle that an import source is sent as: its list and manifests first, then the blobs that are wanted, each in its turn. A source
 * that lacks something leaves it out, and whoever takes the bundle in says what that means.
 */
import { blobFile, INDEX_FILE, type ListedName, listedIndex } from "../../bundle/bundle-index.ts";
import { type BundleFile, packBundle } from "../../bundle/bundle-tar.ts";
import { childrenIn } from "../../bundle/parts-of.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ImportSource } from "./import-source.ts";

/** Sends `names` of `source` with the blobs `wanted`: none of them is what a dry run is given. */
export function bundleOf(
  source: ImportSource,
  names: readonly ListedName[],
  wanted: Iterable<Digest>,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  return packBundle(filesOf(source, names, wanted, signal));
}

async function* filesOf(
  source: ImportSource,
  names: readonly ListedName[],
  wanted: Iterable<Digest>,
  signal: AbortSignal | undefined,
): AsyncGenerator<BundleFile> {
  const index = listedIndex(names);
  yield { name: INDEX_FILE, size: index.length, body: [index] };
  yield* manifestsOf(source, names);
  for (const digest of wanted) {
    const blob = await source.blob(digest);
    if (blob !== undefined) yield { name: blobFile(digest), size: blob.size, body: blob.chunks(signal) };
  }
}

async function* manifestsOf(source: ImportSource, names: readonly ListedName[]): AsyncGenerator<BundleFile> {
  const sent = new Set<Digest>();
  const open: { readonly digest: Digest; readonly mediaType: string | undefined }[] = [...names];
  for (let next = open.shift(); next !== undefined; next = open.shift()) {
    const { digest, mediaType } = next;
    if (sent.has(digest)) continue;
    sent.add(digest);
    const bytes = await source.manifest(digest);
    if (bytes === undefined) continue;
    yield { name: blobFile(digest), size: bytes.length, body: [bytes] };
    open.push(...childrenIn(bytes, mediaType));
  }
}
