/**
 * Owns what an export consists of: of each name its manifests, which are fetched when they are not here, and its blobs, which are not. Nothing
 * of what is here can be evicted before the plan is released.
 */
import type { SavedImage } from "../../bundle/bundle-index.ts";
import type { BundleName } from "../../bundle/bundle-name.ts";
import { bundleParts, type Parts } from "../../bundle/parts-of.ts";
import { GranaryError } from "../../errors.ts";
import type { Metadata, RepositoryKey } from "../../metadata/metadata.ts";
import type { Platform } from "../../oci/descriptor.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseDescriptor } from "../../oci/image-view.ts";
import { objects, parseJsonObject } from "../../oci/json-value.ts";
import type { Manifest } from "../../oci/manifest.ts";
import { isIndexType, MANIFEST_UNION } from "../../oci/media-types.ts";
import { formatPlatform, isStated } from "../../oci/platform.ts";
import type { BlobStore } from "../../store/blob-store.ts";
import { throwIfAborted } from "../../waiting/abort.ts";
import type { Mirror } from "../mirror.ts";
import type { Pins } from "../space/pins.ts";
import { type ChildChoice, chosenChildren } from "./chosen-children.ts";
import { type NamedThing, thingName } from "./named-things.ts";
import { savedImageOf } from "./saved-image.ts";

export type ExportPlanParts = {
  readonly mirror: Pick<Mirror, "manifest" | "blob" | "statBlob">;
  readonly metadata: Pick<Metadata, "tag" | "manifest">;
  readonly store: Pick<BlobStore, "stat">;
  readonly pins: Pick<Pins, "pin">;
  readonly host: Platform;
};

export type ExportChoice = ChildChoice & {
  /** False: what is not here is not fetched, and stops the export. */
  readonly fetch: boolean;
  readonly signal?: AbortSignal;
};

type ExportedName = {
  readonly name: BundleName;
  readonly platforms: readonly string[];
  readonly parts: Parts;
  readonly saved: SavedImage | undefined;
  /** Bytes of all its parts, and of those that have to be fetched. */
  readonly size: number;
  readonly toFetch: number;
};

export type ExportedBlob = {
  readonly where: RepositoryKey;
  readonly digest: Digest;
  readonly size: number;
  readonly isHere: boolean;
};

export type ExportPlan = {
  readonly names: readonly ExportedName[];
  /** Each once, in the order of the names. */
  readonly manifests: ReadonlyMap<Digest, Manifest>;
  readonly blobs: ReadonlyMap<Digest, ExportedBlob>;
  /** Idempotent. */
  release(): void;
};

/** Whoever exports may see what our logins can read. */
const OWNER = { loggedIn: true, userAgent: undefined } as const;
/** In memory at once. */
const MOST_MANIFEST_BYTES = 128 * 2 ** 20;

/** Throws `not-found` (also for what is not here where nothing is fetched), and what the Mirror throws. The caller releases the plan. */
export async function planExport(
  things: readonly NamedThing[],
  parts: ExportPlanParts,
  choice: ExportChoice,
): Promise<ExportPlan> {
  const planning = new Planning(parts, choice);
  try {
    for (const thing of things) {
      throwIfAborted(choice.signal, "the export");
      await planning.add(thing);
    }
    return planning.plan();
  } catch (error) {
    planning.plan().release();
    throw error;
  }
}

class Planning {
  readonly #parts: ExportPlanParts;
  readonly #choice: ExportChoice;
  readonly #names: ExportedName[] = [];
  readonly #manifests = new Map<Digest, Manifest>();
  readonly #blobs = new Map<Digest, ExportedBlob>();
  readonly #pins: (() => void)[] = [];
  #bytes = 0;

  constructor(parts: ExportPlanParts, choice: ExportChoice) {
    this.#parts = parts;
    this.#choice = choice;
  }

  plan(): ExportPlan {
    const release = () => {
      for (const unpin of this.#pins.splice(0)) unpin();
    };
    return { names: this.#names, manifests: this.#manifests, blobs: this.#blobs, release };
  }

  async add(thing: NamedThing): Promise<void> {
    const text = thingName(thing);
    const root = await this.#root(thing, text);
    const atHand = new Map([[root.digest, root.bytes]]);
    const platforms: string[] = [];
    for (const child of await this.#children(root, text)) {
      const manifest = await this.#manifest(thing, child.digest, text);
      atHand.set(manifest.digest, manifest.bytes);
      if (child.platform !== undefined && isStated(child.platform))
        platforms.push(formatPlatform(child.platform));
    }
    const { digest, mediaType, bytes } = root;
    const { upstream, repository } = thing;
    const tag = "tag" in thing ? thing.tag : undefined;
    const name = { upstream, repository, tag, digest, mediaType, size: bytes.length };
    const parts = bundleParts(root, atHand, text);
    for (const { manifest } of parts.manifests) this.#manifests.set(manifest.digest, manifest);
    const sizes = await this.#sizesOf(thing, parts, text);
    this.#names.push({ name, platforms, parts, saved: savedImageOf(name, parts), ...sizes });
  }

  async #root(thing: NamedThing, text: string): Promise<Manifest> {
    if ("digest" in thing) return await this.#manifest(thing, thing.digest, text);
    const { upstream, repository, tag } = thing;
    if (this.#choice.fetch) {
      const target = { kind: "manifest", upstream, repository, reference: { tag } } as const;
      return (await this.#parts.mirror.manifest(target, { ...OWNER, accept: MANIFEST_UNION })).manifest;
    }
    const known = await this.#parts.metadata.tag({ upstream, repository, tag, acceptClass: "" });
    const manifest = known && (await this.#parts.metadata.manifest(known.digest));
    if (manifest === undefined) throw notHere(text, "its manifest");
    return manifest;
  }

  /** What is stored counts, whichever repository brought it: the digest is the same, and the name asks for it. */
  async #manifest(where: RepositoryKey, digest: Digest, text: string): Promise<Manifest> {
    const known = this.#manifests.get(digest);
    if (known !== undefined) return known;
    const { upstream, repository } = where;
    const target = { kind: "manifest", upstream, repository, reference: { digest } } as const;
    const stored = this.#choice.fetch
      ? (await this.#parts.mirror.manifest(target, { ...OWNER, accept: MANIFEST_UNION })).manifest
      : await this.#parts.metadata.manifest(digest);
    if (stored === undefined) throw notHere(text, `the manifest ${digest}`);
    this.#bytes += stored.bytes.length;
    if (this.#bytes > MOST_MANIFEST_BYTES) throw tooMuch();
    return stored;
  }

  async #children({ mediaType, bytes }: Manifest, text: string) {
    if (!isIndexType(mediaType)) return [];
    const children = objects(parseJsonObject(bytes)?.manifests).map(parseDescriptor);
    const stored = new Set<Digest>();
    for (const { digest } of children)
      if ((await this.#parts.metadata.manifest(digest)) !== undefined) stored.add(digest);
    const by = { isStored: (digest: Digest) => stored.has(digest), host: this.#parts.host };
    return chosenChildren(children, this.#choice, by, text);
  }

  async #sizesOf(where: RepositoryKey, { manifests, blobs }: Parts, text: string) {
    let size = manifests.reduce((sum, { manifest }) => sum + manifest.bytes.length, 0);
    let toFetch = 0;
    for (const [digest, stated] of blobs) {
      const blob = this.#blobs.get(digest) ?? (await this.#blob(where, digest, stated, text));
      this.#blobs.set(digest, blob);
      size += blob.size;
      if (!blob.isHere) toFetch += blob.size;
    }
    return { size, toFetch };
  }

  async #blob(
    { upstream, repository }: RepositoryKey,
    digest: Digest,
    stated: number | undefined,
    text: string,
  ): Promise<ExportedBlob> {
    this.#pins.push(this.#parts.pins.pin(digest));
    const where = { upstream, repository };
    const found = await this.#parts.store.stat(digest);
    if (found !== undefined) return { where, digest, size: found.size, isHere: true };
    if (!this.#choice.fetch) throw notHere(text, `the blob ${digest}`);
    const size =
      stated ?? (await this.#parts.mirror.statBlob({ kind: "blob", ...where, digest }, OWNER)).size;
    if (size !== undefined) return { where, digest, size, isHere: false };
    const message = `Nobody tells how large ${digest} of ${text} is: pull it once, and export it then.`;
    throw new GranaryError("upstream-protocol", message, { target: text });
  }
}

function notHere(text: string, what: string): GranaryError {
  const message = `${text} is not wholly here: ${what} is missing. Without --no-fetch it is fetched first.`;
  return new GranaryError("not-found", message, { target: text, saysWhatToDo: true });
}

function tooMuch(): GranaryError {
  const message = "The manifests of these names take too much memory: make several bundles.";
  return new GranaryError("config-invalid", message, { saysWhatToDo: true });
}
