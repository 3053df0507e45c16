/** Owns images whose layers are true tar files, as a fake registry holds them: for verbs that look inside. */
import { buffer } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { pack } from "tar-stream";
import { digestOf } from "../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import type { FakeRegistry } from "./fake-registry.ts";

/** Content by path. */
export type TarFiles = Readonly<Record<string, string | Buffer>>;

/** The bytes of one tar with `files`, all of mode 0644. */
export async function tarOf(files: TarFiles): Promise<Buffer> {
  const archive = pack();
  for (const [name, content] of Object.entries(files)) archive.entry({ name, mtime: new Date(0) }, content);
  archive.finalize();
  return await buffer(archive);
}

/** Adds an image for linux/amd64 with one gzip layer for each of `layers`, bottom first. */
export async function addTarImage(
  fake: FakeRegistry,
  repository: string,
  tag: string,
  layers: readonly TarFiles[],
): Promise<{ readonly digest: string; readonly compressed: number; readonly uncompressed: number }> {
  const tars = await Promise.all(layers.map(tarOf));
  const packed = tars.map((tar) => gzipSync(tar));
  const add = (mediaType: string, bytes: Buffer) => ({
    mediaType,
    digest: fake.addBlob(bytes, repository),
    size: bytes.length,
  });
  const rootfs = { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) };
  const config = Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64", rootfs, config: {} }));
  const manifest = {
    schemaVersion: 2,
    mediaType: OCI_MANIFEST,
    config: add("application/vnd.oci.image.config.v1+json", config),
    layers: packed.map((bytes) => add("application/vnd.oci.image.layer.v1.tar+gzip", bytes)),
  };
  const digest = fake.addManifest(repository, tag, Buffer.from(JSON.stringify(manifest)), OCI_MANIFEST);
  const sum = (all: readonly Buffer[]) => all.reduce((total, bytes) => total + bytes.length, 0);
  return { digest, compressed: sum(packed), uncompressed: sum(tars) };
}
