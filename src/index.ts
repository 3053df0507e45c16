/**
 * Owns the public surface of the library: re-exports only. Every type that a signature here names is here too (a test sees to it). What
 * is not here may change without notice; `granary/...` paths below it are nobody's to import.
 */

// What goes in and comes out.
export type { CreatedImage, CreateOptions } from "./client/archives/create-image.ts";
export type { FetchArtifactOptions, FetchedArtifact } from "./client/artifacts/fetch-artifact.ts";
export type { Extraction, ExtractOptions } from "./client/extraction/unpack-image.ts";
export type { FetchBlobOptions, FetchedBlob } from "./client/fetching/fetch-blob.ts";
export type { OnProgress, Progress, VerbOptions } from "./client/fetching/progress.ts";
export type { Image } from "./client/images/image.ts";
export type { ImageDigest } from "./client/images/image-digest.ts";
export type { InspectedImage, InspectedLayer } from "./client/images/inspect-image.ts";
export type { ModelTarget } from "./client/models/fetch-model.ts";
export type { ModelInspection } from "./client/models/inspect-model.ts";
export type { FetchedModel, FetchedPart, ModelManifest } from "./client/models/model-manifest.ts";
// Where content comes from: registries (openSource), or a cache in this very process (openMirror and mirrorSource).
export { loadSettings } from "./config/load.ts";
export type { Settings } from "./config/settings.ts";
// Failures.
export { type ErrorCode, GranaryError, isGranaryError } from "./errors.ts";
// The verbs.
export { fetchArtifact } from "./library/artifacts.ts";
export { fetchBlob } from "./library/blobs.ts";
// Their first names, which stay.
export {
  extractOciImage,
  fetchImageBlob,
  getImage,
  getImageDigest,
  getOciImageSize,
  getOciImageUncompressedSize,
  type ModelBlob,
  ollamaFetchModel,
  ollamaModelBlob,
  ollamaModelManifest,
  type PullArtifactOptions,
  type PulledArtifact,
  pullArtifact,
} from "./library/first-names.ts";
export {
  createImage,
  extractImage,
  imageDigest,
  imageSize,
  inspectImage,
  uncompressedImageSize,
} from "./library/images.ts";
export type { LibraryOptions } from "./library/library-options.ts";
export type { ModelWeights } from "./library/models.ts";
export {
  fetchModel,
  fetchModelWeights,
  inspectModel,
  modelManifest,
  modelWeights,
} from "./library/models.ts";
export { type ImageOptions, type OpenedImage, openImage } from "./library/open-image.ts";
export type { Mirror } from "./mirror/mirror.ts";
export { mirrorSource } from "./mirror/mirror-source.ts";
export type { Clock } from "./observe/clock.ts";
export { systemClock } from "./observe/clock.ts";
export type { Log, LogOptions } from "./observe/log.ts";
export { createLog, silentLog } from "./observe/log.ts";
export type { Metrics } from "./observe/metrics.ts";
export { createMetrics } from "./observe/metrics.ts";
export type { Observers } from "./observe/observers.ts";
export type { Credentials } from "./oci/credentials.ts";
export type { Descriptor, Platform } from "./oci/descriptor.ts";
export type { Digest } from "./oci/digest.ts";
// Names, without asking anybody.
export { isDigest, parseDigest } from "./oci/digest.ts";
export type { ImageConfig, ImageView } from "./oci/image-view.ts";
export type { Manifest } from "./oci/manifest.ts";
export { formatPlatform, parsePlatform } from "./oci/platform.ts";
export type { Reference, Repository } from "./oci/reference.ts";
export { formatReference, parseReference } from "./oci/reference.ts";
export type { ImageParts } from "./ollama/model-name.ts";
export { parseImageParts, parseModelName } from "./ollama/model-name.ts";
export type { ModelLayer } from "./ollama/model-view.ts";
export type { SourceOptions } from "./open.ts";
export { openMirror, openSource } from "./open.ts";
export type { OpenedRange, Origin } from "./origin.ts";
export type { ManifestHead, Source } from "./source.ts";
