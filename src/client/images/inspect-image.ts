/** Owns what is known of an image, as plain JSON that scripts can rely on. It sends no request. */
import type { Descriptor } from "../../oci/descriptor.ts";
import { type ImageView, isImageConfigType, viewImage } from "../../oci/image-view.ts";
import { asObject, textOf } from "../../oci/json-value.ts";
import { platformsOf } from "../../oci/pick-child.ts";
import { formatPlatform, isStated } from "../../oci/platform.ts";
import { formatReference } from "../../oci/reference.ts";
import type { Image } from "./image.ts";
import { layersSize } from "./image-size.ts";

export type InspectedLayer = {
  readonly digest: string;
  /** Bytes, as stored and sent. */
  readonly size: number;
  readonly mediaType: string;
  /** Digest of the unpacked layer, where the image says it. */
  readonly diffId?: string;
  readonly annotations?: Readonly<Record<string, string>>;
};

/** Fields of which nothing is known are left out; all the others are always there. */
export type InspectedImage = {
  readonly reference: string;
  /** Of the image's own manifest. */
  readonly digest: string;
  readonly mediaType: string;
  readonly artifactType?: string;
  /** The index that the image was chosen from, and what it offers. */
  readonly index?: {
    readonly digest: string;
    readonly mediaType: string;
    readonly platforms: readonly string[];
  };
  /** `os/architecture[/variant]`; of an artifact mostly unknown. */
  readonly platform?: string;
  /** As the image says it, mostly RFC 3339. */
  readonly created?: string;
  readonly author?: string;
  /** Sum of the layers' sizes, bytes as stored and sent. */
  readonly size: number;
  readonly configDescriptor: {
    readonly digest: string;
    readonly size: number;
    readonly mediaType: string;
  };
  /** What a container is run with, in the image's own words: Entrypoint, Cmd, Env, WorkingDir, User, Labels, ... */
  readonly config: Readonly<Record<string, unknown>>;
  /** Bottom first. */
  readonly layers: readonly InspectedLayer[];
  readonly annotations: Readonly<Record<string, string>>;
};

/** Everything but the unpacked size, which takes a fetch of all layers (`uncompressedSize`). */
export function describeImage(image: Image): InspectedImage {
  const { reference, manifest, view, config } = image;
  const { document } = config;
  const created = textOf(document.created);
  const author = textOf(document.author);
  return {
    reference: formatReference(reference),
    digest: manifest.digest,
    mediaType: manifest.mediaType,
    ...artifactTypeOf(view),
    ...(image.index !== undefined && { index: inspectIndex(image.index) }),
    ...(isStated(config.platform) && { platform: formatPlatform(config.platform) }),
    ...(created !== undefined && { created }),
    ...(author !== undefined && { author }),
    size: layersSize(image),
    configDescriptor: plain(view.config),
    config: asObject(document.config) ?? {},
    layers: view.layers.map((layer, place) => inspectLayer(layer, diffIdOf(image, place))),
    annotations: view.annotations,
  };
}

/** An image has no artifact type beside its config's type, which tells nothing: then it is left out. */
function artifactTypeOf({ artifactType }: ImageView) {
  return artifactType === undefined || isImageConfigType(artifactType) ? {} : { artifactType };
}

function inspectIndex(index: NonNullable<Image["index"]>) {
  const view = viewImage(index);
  const platforms = view.kind === "index" ? platformsOf(view.children) : [];
  return { digest: index.digest, mediaType: index.mediaType, platforms };
}

/** Only where each layer has one: some writers list none for empty layers, and then it is not known which diff ID is whose. */
function diffIdOf({ view, config }: Image, place: number): string | undefined {
  return config.diffIds.length === view.layers.length ? config.diffIds[place] : undefined;
}

function inspectLayer(layer: Descriptor, diffId: string | undefined): InspectedLayer {
  const { annotations } = layer;
  return {
    ...plain(layer),
    ...(diffId !== undefined && { diffId }),
    ...(annotations !== undefined && { annotations }),
  };
}

function plain({ digest, size, mediaType }: Descriptor) {
  return { digest, size, mediaType };
}
