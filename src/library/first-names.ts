/**
 * Owns the names that functions and types of the library had first, which stay: each is the same thing under another name. All new
 * ones follow one pattern: a verb and what it works on (`openImage`, `fetchBlob`), or what is asked for (`imageSize`, `modelManifest`).
 */
import type { FetchArtifactOptions, FetchedArtifact } from "../client/artifacts/fetch-artifact.ts";
import { fetchArtifact } from "./artifacts.ts";
import { fetchBlob } from "./blobs.ts";
import { extractImage, imageDigest, imageSize, uncompressedImageSize } from "./images.ts";
import { fetchModelWeights, type ModelWeights, modelManifest, modelWeights } from "./models.ts";
import { openImage } from "./open-image.ts";

/** The first name of `openImage`. */
export const getImage = openImage;
/** The first name of `imageSize`. */
export const getOciImageSize = imageSize;
/** The first name of `uncompressedImageSize`. */
export const getOciImageUncompressedSize = uncompressedImageSize;
/** The first name of `imageDigest`. */
export const getImageDigest = imageDigest;
/** The first name of `extractImage`. */
export const extractOciImage = extractImage;
/** The first name of `fetchBlob`. */
export const fetchImageBlob = fetchBlob;
/** The first name of `modelManifest`. */
export const ollamaModelManifest = modelManifest;
/** The first name of `modelWeights`. */
export const ollamaModelBlob = modelWeights;
/** The first name of `fetchModelWeights`. */
export const ollamaFetchModel = fetchModelWeights;
/** The first name of `fetchArtifact`. */
export const pullArtifact = fetchArtifact;

/** The first name of `ModelWeights`. */
export type ModelBlob = ModelWeights;
/** The first name of `FetchedArtifact`. */
export type PulledArtifact = FetchedArtifact;
/** The first name of `FetchArtifactOptions`. */
export type PullArtifactOptions = FetchArtifactOptions;
