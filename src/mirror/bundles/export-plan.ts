/**
 * Owns what an export consists of: of each name its manifests, which are fetched when they are not here, and its blobs, which are not. Nothing
 * of what is here can be evicted before the plan is released.
 */
import { setImmediate } from "node:timers/promises";
import type { SavedImage } from "../../bundle/bundle-index.ts";
import { type BundleName, textOfName } from "../../bundle/bundle-name.ts";
import { bundleParts, type Parts } from "../../bundle/parts-of.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
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
import { type AttachedThingsParts, attachedThings } from "./attached-things.ts";
import { type ChildChoice, chosenChildren } from "./chosen-children.ts";
import { type NamedThing, thingName } from "./named-things.ts";
import { savedImageOf } from "./saved-image.ts";

export type ExportPlanParts = AttachedThingsParts & {
  readonly mirror: Pick<Mirror, "manifest" | "headManifest" | "blob" | "statBlob">;
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
      await planning.add(thing);
      // Others have their turn: where everything is here, nothing is waited for.
      await setImmediate();
    }
    for (const { name, parts: has } of [...planning.plan().names]) {
      await planning.addAttachedTo(name, digestsOf(has));
      await setImmediate();
    }
    return planning.plan();
  } catch (error) {
    planning.plan().release();
    throw error;
  }
}

function digestsOf({ manifests }: Parts): Digest[] {
  return manifests.map(({ manifest }) => manifest.digest);
}

type Choosing = Pick<ExportChoice, "platforms" | "attestations" | "fetch">;

/** For what comes beside a name without being asked for. */
const AS_STORED: Choosing = { platforms: { kind: "stored" }, attestations: true, fetch: false };
/** For what is asked for and has no platforms. */
const WHOLE: Choosing = { platforms: { kind: "all" }, attestations: true, fetch: true };
/** Signatures of SBOMs are real; signatures of those are not. */
const MOST_LEVELS = 3;
const MOST_ATTACHED = 10_000;

class Planning {
  readonly #parts: ExportPlanParts;
  readonly #choice: ExportChoice;
  readonly #names = new Map<string, ExportedName>();
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
    return { names: [...this.#names.values()], manifests: this.#manifests, blobs: this.#blobs, release };
  }

  async add(thing: NamedThing): Promise<void> {
    await this.#add(thing, this.#choice, undefined);
  }

  /** What is attached to the manifests `digests` of `name`: what is wholly here, and with attestations what its upstream has. */
  async addAttachedTo(name: BundleName, digests: readonly Digest[], level = 1): Promise<void> {
    const { attestations, fetch } = this.#choice;
    const isAsked = attestations && fetch;
    for (const thing of await attachedThings(name, digests, this.#parts, isAsked)) {
      if (this.#names.has(thingName(thing))) continue;
      if (this.#names.size > MOST_ATTACHED) throw tooMuch();
      const added = await this.#addIfThere(thing, isAsked ? WHOLE : AS_STORED, textOfName(name));
      if (added !== undefined && level < MOST_LEVELS)
        await this.addAttachedTo(added.name, digestsOf(added.parts), level + 1);
    }
  }

  /** undefined where it is listed and not there, or not wholly here. */
  async #addIfThere(
    thing: NamedThing,
    choosing: Choosing,
    attachedTo: string,
  ): Promise<ExportedName | undefined> {
    try {
      return await this.#add(thing, choosing, attachedTo);
    } catch (error) {
      if (isGranaryError(error, "not-found")) return undefined;
      throw error;
    }
  }

  /** All of it, or nothing when it throws. */
  async #add(thing: NamedThing, choosing: Choosing, attachedTo: string | undefined): Promise<ExportedName> {
    throwIfAborted(this.#choice.signal, "the export");
    const text = thingName(thing);
    const root = await this.#root(thing, text, choosing);
    const atHand = new Map([[root.digest, root.bytes]]);
    const platforms: string[] = [];
    for (const child of await this.#children(root, text, choosing)) {
      const manifest = await this.#manifest(thing, child.digest, text, choosing);
      atHand.set(manifest.digest, manifest.bytes);
      if (child.platform !== undefined && isStated(child.platform))
        platforms.push(formatPlatform(child.platform));
    }
    const { digest, mediaType, bytes } = root;
    const { upstream, repository } = thing;
    const tag = "tag" in thing ? thing.tag : undefined;
    const name = {
      ...{ upstream, repository, tag, digest, mediaType, size: bytes.length },
      ...(attachedTo !== undefined && { attachedTo }),
    };
    const parts = bundleParts(root, atHand, text);
    const blobs = await this.#blobsOf(thing, parts, text, choosing);
    for (const { manifest } of parts.manifests) this.#manifests.set(manifest.digest, manifest);
    for (const blob of blobs) this.#blobs.set(blob.digest, blob);
    const saved = attachedTo === undefined ? savedImageOf(name, parts) : undefined;
    const exported = { name, platforms, parts, saved, ...sizesOf(parts, blobs) };
    this.#names.set(text, exported);
    return exported;
  }

  async #root(thing: NamedThing, text: string, choosing: Choosing): Promise<Manifest> {
    if ("digest" in thing) return await this.#manifest(thing, thing.digest, text, choosing);
    const { upstream, repository, tag } = thing;
    if (choosing.fetch) {
      const target = { kind: "manifest", upstream, repository, reference: { tag } } as const;
      return (await this.#parts.mirror.manifest(target, { ...OWNER, accept: MANIFEST_UNION })).manifest;
    }
    const known = await this.#parts.metadata.tag({ upstream, repository, tag, acceptClass: "" });
    const manifest = known && (await this.#parts.metadata.manifest(known.digest));
    if (manifest === undefined) throw notHere(text, "its manifest");
    return manifest;
  }

  /** What is stored counts, whichever repository brought it: the digest is the same, and the name asks for it. */
  async #manifest(
    where: RepositoryKey,
    digest: Digest,
    text: string,
    { fetch }: Choosing,
  ): Promise<Manifest> {
    const known = this.#manifests.get(digest);
    if (known !== undefined) return known;
    const { upstream, repository } = where;
    const target = { kind: "manifest", upstream, repository, reference: { digest } } as const;
    const stored = fetch
      ? (await this.#parts.mirror.manifest(target, { ...OWNER, accept: MANIFEST_UNION })).manifest
      : await this.#parts.metadata.manifest(digest);
    if (stored === undefined) throw notHere(text, `the manifest ${digest}`);
    this.#bytes += stored.bytes.length;
    if (this.#bytes > MOST_MANIFEST_BYTES) throw tooMuch();
    return stored;
  }

  async #children({ mediaType, bytes }: Manifest, text: string, choosing: Choosing) {
    if (!isIndexType(mediaType)) return [];
    const children = objects(parseJsonObject(bytes)?.manifests).map(parseDescriptor);
    const stored = new Set<Digest>();
    for (const { digest } of children)
      if ((await this.#parts.metadata.manifest(digest)) !== undefined) stored.add(digest);
    const by = { isStored: (digest: Digest) => stored.has(digest), host: this.#parts.host };
    return chosenChildren(children, choosing, by, text);
  }

  async #blobsOf(
    where: RepositoryKey,
    { blobs }: Parts,
    text: string,
    choosing: Choosing,
  ): Promise<ExportedBlob[]> {
    const found: ExportedBlob[] = [];
    for (const [digest, stated] of blobs)
      found.push(this.#blobs.get(digest) ?? (await this.#blob(where, digest, stated, text, choosing)));
    return found;
  }

  async #blob(
    { upstream, repository }: RepositoryKey,
    digest: Digest,
    stated: number | undefined,
    text: string,
    { fetch }: Choosing,
  ): Promise<ExportedBlob> {
    this.#pins.push(this.#parts.pins.pin(digest));
    const where = { upstream, repository };
    const found = await this.#parts.store.stat(digest);
    if (found !== undefined) return { where, digest, size: found.size, isHere: true };
    if (!fetch) throw notHere(text, `the blob ${digest}`);
    const size =
      stated ?? (await this.#parts.mirror.statBlob({ kind: "blob", ...where, digest }, OWNER)).size;
    if (size !== undefined) return { where, digest, size, isHere: false };
    const message = `Nobody tells how large ${digest} of ${text} is: pull it once, and export it then.`;
    throw new GranaryError("upstream-protocol", message, { target: text });
  }
}

/** In bytes. */
function sizesOf({ manifests }: Parts, blobs: readonly ExportedBlob[]) {
  const documents = manifests.reduce((sum, { manifest }) => sum + manifest.bytes.length, 0);
  const sumOf = (some: readonly ExportedBlob[]) => some.reduce((sum, { size }) => sum + size, 0);
  return { size: documents + sumOf(blobs), toFetch: sumOf(blobs.filter(({ isHere }) => !isHere)) };
}

function notHere(text: string, what: string): GranaryError {
  const message = `${text} is not wholly here: ${what} is missing. Without --no-fetch it is fetched first.`;
  return new GranaryError("not-found", message, { target: text, saysWhatToDo: true });
}

function tooMuch(): GranaryError {
  const message = "The manifests of these names take too much memory: make several bundles.";
  return new GranaryError("config-invalid", message, { saysWhatToDo: true });
}
