/**
 * Owns the public surface of the library: re-exports only. Every type that a signature here names is here too (a test sees to it). What
 * is not here may change without notice; `granary/...` paths below it are nobody's to import.
 */

// The functions.

export { fetchArtifact } from "./library/artifacts.ts";
export { fetchBlob, readBlob } from "./library/blobs.ts";
export {
  createImage,
  extractImage,
  imageDigest,
  imageSize,
  inspectImage,
  uncompressedImageSize,
} from "./library/images.ts";
export {
  fetchModel,
  fetchModelWeights,
  inspectModel,
  modelManifest,
  modelWeights,
} from "./library/models.ts";
export { openImage } from "./library/open-image.ts";

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

// What they take and give.

export type { CreatedImage, CreateOptions } from "./client/archives/create-image.ts";
export type { ArtifactFile, ArtifactLimits } from "./client/artifacts/artifact-files.ts";
export type { FetchArtifactOptions, FetchedArtifact } from "./client/artifacts/fetch-artifact.ts";
export type { ArtifactChoice } from "./client/artifacts/find-artifact.ts";
export type { Extraction, ExtractOptions } from "./client/extraction/unpack-image.ts";
export type { FetchBlobOptions, FetchedBlob } from "./client/fetching/fetch-blob.ts";
export type { FetchBlobsOptions } from "./client/fetching/fetch-blobs.ts";
export type { OnProgress, Progress, VerbOptions } from "./client/fetching/progress.ts";
export type { Image } from "./client/images/image.ts";
export type { ImageDigest } from "./client/images/image-digest.ts";
export type { InspectedImage, InspectedLayer } from "./client/images/inspect-image.ts";
export type { ModelTarget } from "./client/models/fetch-model.ts";
export type { ModelInspection, TextRole } from "./client/models/inspect-model.ts";
export type { FetchedModel, FetchedPart, ModelManifest } from "./client/models/model-manifest.ts";
export type { LibraryOptions } from "./library/library-options.ts";
export type { ModelWeights } from "./library/models.ts";
export type { ImageOptions, OpenedImage } from "./library/open-image.ts";

// Failures.

export { type ErrorCode, type ErrorFacts, GranaryError, isGranaryError } from "./errors.ts";

// Where content comes from: registries (openSource), or a cache in this very process (openMirror and mirrorSource).

export { loadSettings } from "./config/load.ts";
export type { MoveBytes } from "./files/open-file.ts";
export { mirrorSource } from "./mirror/mirror-source.ts";
export { type OpenedMirror, openMirror, openSource, type SourceOptions } from "./open.ts";
export type { Allowance, Crowd, OpenedRange, Origin, WantedFor } from "./origin.ts";
export type { Purpose, Serves } from "./purpose.ts";
export type { BlobReader, ManifestHead, ReadableBlob, Source } from "./source.ts";

// What a Mirror or a Source is made with.

export type { ReachOptions } from "./config/reached-upstream.ts";
export type { PassageSettings } from "./config/sections/passage.ts";
export type { PrefetchSetting } from "./config/sections/prefetch.ts";
export type { WarmSetting } from "./config/sections/warm.ts";
export type {
  AdminSettings,
  ClientSettings,
  FleetSettings,
  InternalSettings,
  ListenerFiles,
  ListenerSettings,
  LogSettings,
  ProxySettings,
  Settings,
  StorageSettings,
  UpstreamSettings,
} from "./config/settings.ts";
export type { Environment } from "./environment.ts";
export type { BucketSettings } from "./fleet/s3/bucket-settings.ts";
export { type Clock, systemClock, type Timer } from "./observe/clock.ts";
export { createLog, type Log, type LogOptions, silentLog } from "./observe/log.ts";
export { createMetrics, type Metrics } from "./observe/metrics.ts";
export type { Observers } from "./observe/observers.ts";
export type {
  Credentials,
  CredentialsAsk,
  CredentialsOf,
  FromRule,
  Identity,
  IdentityCredentials,
  Login,
  PasswordCredentials,
  TokenCredentials,
} from "./oci/credentials.ts";
export type { RecordSettings } from "./records/retention.ts";
export type { NamePattern } from "./routing/name-pattern.ts";
export type { BandwidthSettings, NamedLimits } from "./upstream/network/bandwidth-hours.ts";
export type { TlsMaterial } from "./upstream/network/trust.ts";
export type { Policy, Upstream } from "./upstream/policy.ts";

// What a Mirror is asked and answers.

export type { FillFacts, ServedReader } from "./fill/fill-facts.ts";
export type {
  Asker,
  BlobRole,
  FoundBlob,
  ListAnswer,
  ManifestAnswer,
  ManifestAsker,
  ManifestHeadAnswer,
  Mirror,
  MirrorStatus,
  Outcome,
  ReferrersAnswer,
  RoomVictim,
  ShownDisk,
  ShownFill,
  TagsAnswer,
} from "./mirror/mirror.ts";
export type {
  Finding,
  FindingKind,
  VerifyOptions,
  VerifyPlace,
  VerifyReport,
} from "./mirror/upkeep/verify-report.ts";
export type { BlobTarget, ManifestTarget, ReferrersTarget, TagsTarget } from "./routing/target.ts";
export type { BudgetReturn } from "./upstream/network/budget-return.ts";
export type { PullBudget } from "./upstream/network/headers.ts";
export type { AnswerTimes } from "./upstream/network/latency.ts";
export type { EndpointStatus, UpstreamStatus } from "./upstream/upstream-client.ts";

// Names and documents, without asking anybody.

export type { ByteRange } from "./bytes/byte-range.ts";
export type { Descriptor, Platform } from "./oci/descriptor.ts";
export { type Digest, isDigest, parseDigest } from "./oci/digest.ts";
export type { ImageConfig, ImageView } from "./oci/image-view.ts";
export type { JsonObject } from "./oci/json-value.ts";
export type { Manifest } from "./oci/manifest.ts";
export { formatPlatform, parsePlatform } from "./oci/platform.ts";
export { formatReference, parseReference, type Reference, type Repository } from "./oci/reference.ts";
export { type ImageParts, parseImageParts, parseModelName } from "./ollama/model-name.ts";
export type { ModelLayer, ModelView } from "./ollama/model-view.ts";
