/**
 * Owns what can be told of a model without its weights, as one plain JSON value: names, digests, sizes, roles, and the text
 * of its small parts. Licenses are listed, not quoted: they are long, and always the same.
 */
import type { Descriptor } from "../../oci/descriptor.ts";
import { type JsonObject, parseJsonObject } from "../../oci/json-value.ts";
import { formatReference, type Reference } from "../../oci/reference.ts";
import type { ModelLayer } from "../../ollama/model-view.ts";
import type { Source } from "../../source.ts";
import { untilAborted } from "../../waiting/abort.ts";
import { readSmallBlob } from "../fetching/read-blob.ts";
import { type ModelManifest, modelManifestFrom } from "./model-manifest.ts";

export type ModelInspection = {
  readonly reference: string;
  /** Of the manifest: the ID that Ollama lists. */
  readonly digest: string;
  readonly mediaType: string;
  /** Bytes, config and layers. */
  readonly size: number;
  /** What the config says (family, quantization, ...); undefined where it is no JSON object, or too big to be a config. */
  readonly config: JsonObject | undefined;
  readonly layers: readonly ModelLayer[];
  /** The text of the first layer of each of these roles; a part over 1 MiB is left out. */
  readonly texts: Readonly<Partial<Record<TextRole, string>>>;
};

export type TextRole = (typeof TEXT_ROLES)[number];

const TEXT_ROLES = ["template", "system", "params", "messages"] as const;
const LIMIT_BYTES = 2 ** 20;

/** Throws what `modelManifestFrom` and `readSmallBlob` throw. */
export async function inspectModelFrom(
  source: Source,
  reference: Reference,
  { signal }: { readonly signal?: AbortSignal } = {},
): Promise<ModelInspection> {
  const model = await untilAborted(modelManifestFrom(source, reference), signal);
  const read = async (part: Descriptor) =>
    part.size > LIMIT_BYTES ? undefined : readSmallBlob(source, reference, part, LIMIT_BYTES, signal);
  const config = await read(model.config);
  return {
    reference: formatReference(reference),
    digest: model.manifest.digest,
    mediaType: model.mediaType,
    size: model.size,
    config: config && parseJsonObject(config),
    layers: model.layers,
    texts: await textsOf(model, read),
  };
}

async function textsOf(
  { layers }: ModelManifest,
  read: (part: Descriptor) => Promise<Uint8Array | undefined>,
): Promise<ModelInspection["texts"]> {
  const texts: Partial<Record<TextRole, string>> = {};
  for (const role of TEXT_ROLES) {
    const layer = layers.find((candidate) => candidate.role === role);
    const bytes = layer && (await read(layer));
    if (bytes !== undefined) texts[role] = new TextDecoder().decode(bytes);
  }
  return texts;
}
