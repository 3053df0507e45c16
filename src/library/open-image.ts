/**
 * Owns the way from a text to the place where an image lies, a registry, an archive or a Docker engine, and sees to it that what
 * was opened there is closed.
 */
import { type OpenedArchive, openArchive } from "../client/archives/open-archive.ts";
import { openEngineImage } from "../client/archives/open-engine-image.ts";
import { type Image, imageFrom } from "../client/images/image.ts";
import { type ImageLocation, parseImageLocation } from "../client/images/image-location.ts";
import type { Platform } from "../oci/descriptor.ts";
import { parsePlatform } from "../oci/platform.ts";
import type { Reference } from "../oci/reference.ts";
import type { Source } from "../source.ts";
import { untilAborted } from "../waiting/abort.ts";
import { type SourceOfCall, sourceFor } from "./default-source.ts";
import { endedBy } from "./ended-by.ts";
import type { LibraryOptions } from "./library-options.ts";

export type ImageOptions = LibraryOptions & {
  /** Where a compressed archive is unpacked while it is read; the system's directory for temporary files by default. */
  readonly temporaryDirectory?: string;
};

/** An Image whose Source is open until `close`, or until the caller's own Source is closed. */
export type OpenedImage = Image & {
  /** Idempotent; closes nothing that the caller brought along. */
  close(): Promise<void>;
};

/**
 * Opens the image that `reference` means for one platform, its manifest and config read and checked; layers are read later. A
 * reference is `[host[:port]/]repository[:tag][@digest]` in a registry, `ocifile:PATH[#NAME]` for an OCI layout, an OCI archive or
 * what `docker save` wrote, or `docker-daemon:NAME` in the Docker engine of this machine. The caller closes the image.
 *
 * Throws GranaryError: `reference-invalid` (before anything is asked), `config-invalid`, `not-found` (the platforms that there
 * are stand in the message), `unauthorized`, `denied`, `rate-limited`, `manifest-invalid`, `digest-mismatch`,
 * `upstream-unavailable`, `upstream-protocol`, `store-full`, `store-damaged`; and the signal's reason (`aborted` without one).
 */
export async function openImage(reference: string, options: ImageOptions = {}): Promise<OpenedImage> {
  const platform = platformOf(options);
  const location = parseImageLocation(reference);
  return await endedBy(options.signal, async () => {
    const { source, reference: named, close } = await imageSourceFor(location, options);
    try {
      const image = await untilAborted(imageFrom(source, named, platform), options.signal);
      return { ...image, close };
    } catch (error) {
      await close();
      throw error;
    }
  });
}

/** Gives `work` the image that a text means, or the one that the caller has open already. Throws as `openImage`, and what `work` throws. */
export async function withImage<T>(
  image: string | Image,
  options: ImageOptions,
  work: (image: Image) => Promise<T>,
): Promise<T> {
  if (typeof image !== "string") return await endedBy(options.signal, () => work(image));
  const opened = await openImage(image, options);
  try {
    return await endedBy(options.signal, () => work(opened));
  } finally {
    await opened.close();
  }
}

/** Gives `work` the Source and reference that `text` means, and closes afterwards what was opened for it. */
export async function withImageSource<T>(
  text: string,
  options: ImageOptions,
  work: (source: Source, reference: Reference) => Promise<T>,
): Promise<T> {
  const location = parseImageLocation(text);
  return await endedBy(options.signal, async () => {
    const { source, reference, close } = await imageSourceFor(location, options);
    try {
      return await untilAborted(work(source, reference), options.signal);
    } finally {
      await close();
    }
  });
}

/** Throws `reference-invalid`. */
export function platformOf({ platform }: LibraryOptions): { readonly platform?: Platform } {
  return platform === undefined ? {} : { platform: parsePlatform(platform) };
}

async function imageSourceFor(
  location: ImageLocation,
  options: ImageOptions,
): Promise<SourceOfCall & { readonly reference: Reference }> {
  if (location.kind === "registry") {
    return { ...(await sourceFor(options)), reference: location.reference };
  }
  const { source, reference } = await openArchiveOrEngine(location, options);
  return { source, reference, close: () => source.close() };
}

function openArchiveOrEngine(
  location: Exclude<ImageLocation, { readonly kind: "registry" }>,
  { signal, temporaryDirectory }: ImageOptions,
): Promise<OpenedArchive> {
  const temporary = {
    ...(signal !== undefined && { signal }),
    ...(temporaryDirectory !== undefined && { temporaryDirectory }),
  };
  if (location.kind === "engine") return openEngineImage(location.name, temporary);
  const { path, name } = location;
  return openArchive(path, { ...temporary, ...(name !== undefined && { name }) });
}
