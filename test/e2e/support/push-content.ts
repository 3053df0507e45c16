/** Owns what the tests push to a registry by hand, over the distribution-spec's own requests: blobs and manifests. */
import { digestOf } from "../../../src/oci/digest.ts";

export type PushedDescriptor = { readonly mediaType: string; readonly digest: string; readonly size: number };

/** Pushes `bytes` as one blob (POST, then one PUT) and describes it. */
export async function pushBlob(
  registry: string,
  repository: string,
  mediaType: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<PushedDescriptor> {
  const begun = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  const location = new URL(begun.headers.get("location") ?? "", registry);
  const digest = digestOf(bytes);
  location.searchParams.set("digest", digest);
  const headers = { "content-type": "application/octet-stream" };
  expectCreated(await fetch(location, { method: "PUT", body: bytes, headers }), "blob");
  return { mediaType, digest, size: bytes.length };
}

/** Pushes `manifest` under `tag` and describes it. */
export async function pushManifest(
  registry: string,
  repository: string,
  tag: string,
  manifest: { readonly mediaType: string },
): Promise<PushedDescriptor> {
  const body = JSON.stringify(manifest, null, 2);
  const url = `${registry}/v2/${repository}/manifests/${tag}`;
  const headers = { "content-type": manifest.mediaType };
  expectCreated(await fetch(url, { method: "PUT", body, headers }), "manifest");
  const bytes = Buffer.from(body);
  return { mediaType: manifest.mediaType, digest: digestOf(bytes), size: bytes.length };
}

function expectCreated({ status, url }: Response, what: string): void {
  if (status !== 201) throw new Error(`the registry did not take a ${what}: ${status} at ${url}`);
}
