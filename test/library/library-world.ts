/** Owns a fake registry with one of everything, and each function of the library called on it, for tests of what all of them keep. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import * as granary from "../../src/index.ts";
import { OCI_MANIFEST } from "../../src/oci/media-types.ts";
import { memoryImage } from "../client/extraction/extract-world.ts";
import { addModel, modelOf } from "../support/models.ts";
import { patternBytes } from "../support/pattern.ts";
import { HurriedClock, startFake } from "../support/start-upstream.ts";
import { file, tarLayer } from "../support/tar-layer.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const MIB = 2 ** 20;

/** Compressed once for all tests of a file. */
const IMAGE = memoryImage([[file("a", patternBytes(1, 0, MIB))], [file("b", patternBytes(2, 0, 6 * MIB))]]);

export type CallOptions = Pick<granary.LibraryOptions, "signal" | "onProgress">;

export async function libraryWorld() {
  const fake = await startFake({ mode: "plain" });
  const directory = await tempDirectory();
  const { image, blobs } = IMAGE;
  for (const bytes of [...blobs.values(), image.configBytes]) fake.addBlob(bytes, "org/app");
  fake.addManifest("org/app", "1", image.manifest.bytes, OCI_MANIFEST);
  addModel(fake, "org/model", "1", {
    layers: [modelOf(3, 5 * MIB), ["template", "{{ .Prompt }}"], ["license", "MIT"]],
  });
  const artifact = addArtifact(fake);
  const names = {
    image: `${fake.host}/org/app:1`,
    model: `${fake.host}/org/model:1`,
    artifact: `${fake.host}/org/notes:1`,
  };
  const tar = join(directory, "layer.tar");
  await writeFile(tar, tarLayer([file("c", "1")]));
  return { fake, directory, names, tar, layer: image.view.layers[1], artifact };
}

type LibraryWorld = Awaited<ReturnType<typeof libraryWorld>>;

function addArtifact(fake: LibraryWorld["fake"]): { readonly size: number } {
  const contents = [
    ["readme.md", Buffer.from("hello")],
    ["weights.bin", patternBytes(7, 0, 5 * MIB)],
  ] as const;
  const layers = contents.map(([title, bytes]) => ({
    mediaType: "application/octet-stream",
    digest: fake.addBlob(bytes, "org/notes"),
    size: bytes.length,
    annotations: { "org.opencontainers.image.title": title },
  }));
  const config = {
    mediaType: "application/vnd.oci.empty.v1+json",
    digest: fake.addBlob(Buffer.from("{}"), "org/notes"),
    size: 2,
  };
  const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, artifactType: "text/notes", config, layers };
  fake.addManifest("org/notes", "1", Buffer.from(JSON.stringify(document)), OCI_MANIFEST);
  return { size: layers.reduce((sum, { size }) => sum + size, 0) };
}

type Call = (world: LibraryWorld, options: CallOptions) => Promise<unknown>;

/** Functions that ask a registry, by name; each brings what it brings to a name of its own below `world.directory`. */
export const ASKING: readonly (readonly [name: string, call: Call])[] = [
  ["openImage", ({ names }, options) => granary.openImage(names.image, platformed(options))],
  ["imageSize", ({ names }, options) => granary.imageSize(names.image, platformed(options))],
  ["imageDigest", ({ names }, options) => granary.imageDigest(names.image, options)],
  ["inspectImage", ({ names }, options) => granary.inspectImage(names.image, platformed(options))],
  ["modelManifest", ({ names }, options) => granary.modelManifest(names.model, options)],
  ["modelWeights", ({ names }, options) => granary.modelWeights(names.model, options)],
  ["inspectModel", ({ names }, options) => granary.inspectModel(names.model, options)],
];

/** The same for those that tell how far they are. */
export const FETCHING: readonly (readonly [name: string, call: Call])[] = [
  [
    "fetchBlob",
    ({ fake, directory, layer }, options) =>
      granary.fetchBlob(
        `${fake.host}/org/app`,
        layer?.digest ?? "",
        join(directory, "blob"),
        hurried(options),
      ),
  ],
  [
    "readBlob",
    ({ fake, layer }, options) =>
      granary.readBlob(`${fake.host}/org/app`, layer?.digest ?? "", async () => {}, hurried(options)),
  ],
  [
    "uncompressedImageSize",
    ({ names }, options) => granary.uncompressedImageSize(names.image, platformed(options)),
  ],
  [
    "extractImage",
    ({ names, directory }, options) =>
      granary.extractImage(names.image, join(directory, "tree"), { replace: true, ...platformed(options) }),
  ],
  [
    "fetchModelWeights",
    ({ names, directory }, options) =>
      granary.fetchModelWeights(names.model, join(directory, "weights"), hurried(options)),
  ],
  [
    "fetchModel to a directory",
    ({ names, directory }, options) =>
      granary.fetchModel(names.model, { directory: join(directory, "model") }, hurried(options)),
  ],
  [
    "fetchModel to Ollama's store",
    ({ names, directory }, options) =>
      granary.fetchModel(names.model, { ollamaStore: join(directory, "store") }, hurried(options)),
  ],
  [
    "fetchArtifact",
    ({ names, directory }, options) =>
      granary.fetchArtifact(names.artifact, join(directory, "notes"), hurried(options)),
  ],
];

function hurried(options: CallOptions) {
  return { clock: new HurriedClock(), ...options };
}

/** The image is made for this platform, whatever machine runs the test. */
function platformed(options: CallOptions) {
  return { platform: "linux/amd64", ...hurried(options) };
}
