/**
 * Owns what an artifact's manifest asks to be written, and the refusal of all of it when any of it is unfit: a path that leads
 * out, a path twice, too much. Pure: nothing has been fetched or written when it refuses.
 */
import { formatBytes } from "../../bytes/units.ts";
import { type ErrorFacts, GranaryError } from "../../errors.ts";
import { unsafetyOf } from "../../files/safe-relative-path.ts";
import type { Descriptor } from "../../oci/descriptor.ts";
import type { ImageView } from "../../oci/image-view.ts";
import { kindOf } from "../../ollama/model-view.ts";

const TITLE = "org.opencontainers.image.title";
/** ORAS: the layer is the tar of a directory. */
const UNPACK = "io.deis.oras.content.unpack";
/** CNCF ModelPack (docs/protocol.md#model-artifacts): the relative path of the layer's file, and the types by which its artifacts are known. */
const MODEL_PACK_PATH = "org.cncf.model.filepath";
const MODEL_PACK_MANIFEST = "application/vnd.cncf.model.manifest.v1+json";
const MODEL_PACK_CONFIG = "application/vnd.cncf.model.config.v1+json";

export type ArtifactFile = Descriptor & {
  /** Relative, safe, `/` between its segments, unique without regard to case. */
  readonly path: string;
  /** True for the archive of a directory, which is kept as an archive: nothing unpacks it. */
  readonly isArchive: boolean;
};

export type ArtifactLimits = {
  /** 1024 by default. */
  readonly maxLayers?: number;
  /** Of all layers together, bytes; 512 MiB by default. */
  readonly maxBytes?: number;
};

/** True when the manifest says so itself, or by the type of its config. */
export function isModelPack({ artifactType, config }: Pick<ImageView, "artifactType" | "config">): boolean {
  return artifactType === MODEL_PACK_MANIFEST || config.mediaType === MODEL_PACK_CONFIG;
}

/** One for each layer, in order. Throws `manifest-invalid`. */
export function artifactFiles(
  view: ImageView,
  { maxLayers = 1024, maxBytes = 512 * 2 ** 20 }: ArtifactLimits = {},
): ArtifactFile[] {
  const { layers } = view;
  if (layers.length > maxLayers)
    throw unfit(`it has ${layers.length} layers, at most ${maxLayers} are taken`);
  const size = layers.reduce((sum, layer) => sum + layer.size, 0);
  if (size > maxBytes) {
    throw unfit(`its layers have ${formatBytes(size)}, at most ${formatBytes(maxBytes)} are taken`);
  }
  const files = layers.map((layer) => fileOf(layer, view));
  refuseCollisions(files.map(({ path }) => path));
  return files;
}

function fileOf(layer: Descriptor, view: ImageView): ArtifactFile {
  const { annotations = {}, digest } = layer;
  const [preferred, other] = isModelPack(view) ? [MODEL_PACK_PATH, TITLE] : [TITLE, MODEL_PACK_PATH];
  const path = annotations[preferred] ?? annotations[other];
  if (path === undefined) {
    throw unfit(`layer ${digest} has no ${TITLE}, which would name its file`, {
      isRather: kindOf(view.layers),
    });
  }
  const unsafety = unsafetyOf(path);
  if (unsafety !== undefined) throw unfit(`the path ${JSON.stringify(path.slice(0, 100))} ${unsafety}`);
  return { ...layer, path, isArchive: annotations[UNPACK] === "true" };
}

/** Two files under one path, or a file where another needs a directory. */
function refuseCollisions(paths: readonly string[]): void {
  const files = new Set<string>();
  for (const path of paths) {
    const key = path.toLowerCase();
    if (files.has(key)) throw unfit(`the path ${JSON.stringify(path)} is there twice`);
    files.add(key);
  }
  for (const path of files) {
    for (let slash = path.indexOf("/"); slash >= 0; slash = path.indexOf("/", slash + 1)) {
      const parent = path.slice(0, slash);
      if (files.has(parent)) throw unfit(`the path ${JSON.stringify(parent)} is a file and a directory`);
    }
  }
}

function unfit(reason: string, facts?: ErrorFacts): GranaryError {
  return new GranaryError("manifest-invalid", `The artifact cannot be pulled: ${reason}.`, facts);
}
