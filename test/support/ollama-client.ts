/**
 * Owns the stand-in for `ollama pull` of an ordinary (GGUF) model: the exact requests of the real client, as the
 * protocol notes list them under "Things a test client must do". It must never be kinder to a server than Ollama is.
 */
import { createHash } from "node:crypto";
import { OLLAMA_LIMITS, type PartLimits } from "./ollama-client/blob-part.ts";
import type { BlobPlace } from "./ollama-client/blob-place.ts";
import { fetchBlob } from "./ollama-client/fetch-blob.ts";
import { readAll } from "./ollama-client/http-exchange.ts";
import { type ModelName, parseModelName, pathOf } from "./ollama-client/model-name.ts";
import { OLLAMA_0_32_15, type OllamaVersion } from "./ollama-client/ollama-version.ts";
import { RegistrySession } from "./ollama-client/registry-session.ts";

export type PullOptions = {
  /** As typed after `ollama pull --insecure`: "host:port/library/model:tag", or a plain name with `proxy`. */
  readonly name: string;
  /** Where each blob goes. */
  readonly placeFor: (layer: ModelLayer) => BlobPlace;
  readonly version?: OllamaVersion;
  /** Base URL: requests go there in absolute form, as with `HTTP_PROXY`. */
  readonly proxy?: string;
  /** A token that the client holds from before. */
  readonly token?: string;
  readonly limits?: PartLimits;
  /** Factor on every sleep between two tries. */
  readonly timeScale?: number;
  /** Factor on the limits, which are budgets and stall times: shortened, a busy machine passes them too. */
  readonly limitScale?: number;
  /** Ctrl-C. */
  readonly signal?: AbortSignal;
  readonly onBytes?: (count: number) => void;
};

export type ModelLayer = { readonly mediaType: string; readonly digest: string; readonly size: number };

export type PulledModel = {
  /** The exact bytes, and their digest: the ID in `ollama list`. */
  readonly manifest: Buffer;
  readonly manifestDigest: string;
  /** Layers in the manifest's order, the config last. */
  readonly layers: readonly ModelLayer[];
};

const MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json";

/** Pulls the model; throws with the text that `ollama pull` would print. */
export async function pullModel(options: PullOptions): Promise<PulledModel> {
  const { version = OLLAMA_0_32_15, proxy, token, placeFor } = options;
  const name = parseModelName(options.name);
  const session = new RegistrySession({ version, proxy, token });
  const terms = {
    session,
    version,
    limits: options.limits ?? OLLAMA_LIMITS,
    timeScale: options.timeScale ?? 1,
    limitScale: options.limitScale ?? 1,
    signal: options.signal ?? new AbortController().signal,
    onBytes: options.onBytes ?? (() => {}),
  };
  const manifest = await fetchManifest(session, name, terms.signal);
  const layers = layersOf(manifest);
  const places = layers.map(placeFor);
  for (const [index, layer] of layers.entries()) {
    const place = places[index];
    if (place !== undefined) await fetchBlob(urlOf(name, "blobs", layer.digest), place, terms);
  }
  for (const place of places) await place.verify();
  const manifestDigest = `sha256:${createHash("sha256").update(manifest).digest("hex")}`;
  return { manifest, manifestDigest, layers };
}

async function fetchManifest(
  session: RegistrySession,
  name: ModelName,
  signal: AbortSignal,
): Promise<Buffer> {
  const url = urlOf(name, "manifests", name.tag);
  return readAll(await session.request(url, { headers: { accept: MANIFEST_TYPE }, signal }));
}

/** `--insecure` is the only way to a registry without https, and it means http, always. */
function urlOf(name: ModelName, kind: "manifests" | "blobs", reference: string): URL {
  return new URL(pathOf(name, kind, reference), `http://${name.host}`);
}

function layersOf(manifest: Buffer): ModelLayer[] {
  const { layers, config } = JSON.parse(manifest.toString("utf8")) as {
    layers: ModelLayer[];
    config: ModelLayer;
  };
  return config.digest === "" ? layers : [...layers, config];
}
