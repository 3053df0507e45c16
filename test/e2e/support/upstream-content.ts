/**
 * Owns what the real upstream holds: one big image made from a root file system, a multi-platform index, a
 * repository with a few tags, and an artifact. It says what is there as data, so that tests can assert digests.
 */
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_INDEX, OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { patternBytes } from "../../support/pattern.ts";
import { addImage, createLayout, type LayerSource } from "./image-layout.ts";
import { type PushedDescriptor, pushBlob, pushManifest } from "./push-content.ts";
import { makeRootFileSystem } from "./root-file-system.ts";
import { runCommand } from "./run-command.ts";

export type StoredImage = {
  readonly repository: string;
  readonly tag: string;
  readonly manifest: PushedDescriptor;
  readonly config: PushedDescriptor;
  readonly layers: readonly PushedDescriptor[];
};

export type UpstreamContent = {
  readonly big: StoredImage;
  /** An index over the two images of `platforms`: linux/amd64, linux/arm64. */
  readonly index: { readonly repository: string; readonly tag: string; readonly manifest: PushedDescriptor };
  readonly platforms: readonly StoredImage[];
  /** One repository with three tags. */
  readonly tagged: readonly StoredImage[];
  readonly artifact: StoredImage;
};

const INDEX_REPOSITORY = "library/multi-test";

/** Makes everything in `workshop`, pushes it to `registry` (base URL), and says what it pushed. */
export async function pushContent(registry: string, workshop: string): Promise<UpstreamContent> {
  const root = join(workshop, "root");
  const layout = join(workshop, "layout");
  await makeRootFileSystem(root);
  await createLayout(layout);
  await addImage(layout, "big", "amd64", layersOf(root));
  const push = (source: string, repository: string, tag: string) =>
    pushImage(registry, layout, source, repository, tag);
  const big = await push("big", "library/debian-test", "latest");
  const small = await addSmallImages(workshop, layout, root);
  const platforms = [
    await push(small.amd64, INDEX_REPOSITORY, "amd64"),
    await push(small.arm64, INDEX_REPOSITORY, "arm64"),
  ];
  const tagged = [];
  for (const tag of small.tags) tagged.push(await push(tag, "library/tags-test", tag));
  const index = await pushIndex(registry, platforms);
  return { big, index, platforms, tagged, artifact: await pushArtifact(registry) };
}

function layersOf(root: string): LayerSource[] {
  const exclude = ["./usr", "./var", "./dev/*", "./proc/*", "./sys/*"];
  // Clients without overlays copy all lower layers for each next one: the layer with the most files is the last.
  return [
    { directory: root, include: ["."], exclude },
    { directory: root, include: ["./var"] },
    { directory: root, include: ["./usr"], exclude: ["./usr/share"] },
    { directory: root, include: ["./usr/share"] },
  ];
}

async function addSmallImages(workshop: string, layout: string, root: string) {
  const tags = ["one", "two", "three"];
  const common = { directory: root, include: ["./etc"] };
  for (const [seed, name] of ["amd64", "arm64", ...tags].entries()) {
    const directory = join(workshop, `marks-${name}`);
    await mkdir(directory);
    await writeFile(join(directory, "mark"), patternBytes(seed, 0, 300_000));
    const architecture = name === "arm64" ? "arm64" : "amd64";
    await addImage(layout, name, architecture, [common, { directory, include: ["./mark"] }]);
  }
  return { amd64: "amd64", arm64: "arm64", tags };
}

async function pushImage(
  registry: string,
  layout: string,
  source: string,
  repository: string,
  tag: string,
): Promise<StoredImage> {
  const target = `docker://${new URL(registry).host}/${repository}:${tag}`;
  await runCommand("skopeo", ["copy", "--dest-tls-verify=false", `oci:${layout}:${source}`, target]);
  const answer = await fetch(`${registry}/v2/${repository}/manifests/${tag}`, {
    headers: { accept: OCI_MANIFEST },
  });
  const bytes = Buffer.from(await answer.arrayBuffer());
  const { config, layers } = JSON.parse(bytes.toString()) as Pick<StoredImage, "config" | "layers">;
  const manifest = { mediaType: OCI_MANIFEST, digest: digestOf(bytes), size: bytes.length };
  return { repository, tag, manifest, config, layers };
}

async function pushIndex(
  registry: string,
  platforms: readonly StoredImage[],
): Promise<UpstreamContent["index"]> {
  const manifests = platforms.map(({ manifest, tag: architecture }) => ({
    ...manifest,
    platform: { os: "linux", architecture },
  }));
  const index = { schemaVersion: 2, mediaType: OCI_INDEX, manifests };
  const manifest = await pushManifest(registry, INDEX_REPOSITORY, "latest", index);
  return { repository: INDEX_REPOSITORY, tag: "latest", manifest };
}

async function pushArtifact(registry: string): Promise<StoredImage> {
  const repository = "example/artifact-test";
  const config = await pushBlob(registry, repository, "application/vnd.oci.empty.v1+json", Buffer.from("{}"));
  const notes = Buffer.from(patternBytes(77, 0, 50_000));
  const layers = [await pushBlob(registry, repository, "application/vnd.granary.test-notes", notes)];
  const artifactType = "application/vnd.granary.test";
  const body = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType, config, layers };
  const manifest = await pushManifest(registry, repository, "v1", body);
  return { repository, tag: "v1", manifest, config, layers };
}

/** The content that an earlier run wrote down. */
export async function readContent(path: string): Promise<UpstreamContent> {
  return JSON.parse(await readFile(path, "utf8")) as UpstreamContent;
}
