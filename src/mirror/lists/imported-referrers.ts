/**
 * Owns referrers that the owner of this Granary brought in: they stand in every list beside those of the upstream, and alone where the upstream
 * cannot be asked, does not show its own, or has none. Everybody may have them, as everything that was imported. It asks no upstream.
 */
import { GranaryError, reasonOf } from "../../errors.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Metadata } from "../../metadata/metadata.ts";
import type { ReferrerRows } from "../../metadata/referrer-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { parseJsonObject, textOf } from "../../oci/json-value.ts";
import { viewManifest } from "../../oci/manifest-view.ts";
import { OCI_INDEX } from "../../oci/media-types.ts";
import type { ReferrersTarget } from "../../routing/target.ts";
import type { BodyRoom } from "../../upstream/network/body-room.ts";
import type { ReferrersAnswer } from "../mirror.ts";
import { eachItem } from "./list-items.ts";

export type ImportedReferrersParts = {
  readonly rows: ReferrerRows & Pick<ContentRows, "ancestorsOf">;
  readonly metadata: Pick<Metadata, "manifest" | "link">;
  readonly room: BodyRoom;
  readonly clock: Clock;
};

type Item = { readonly digest: Digest; readonly text: Buffer };

/** Of one digest: more than anybody attaches to one. */
const MOST = 1_000;
const MOST_BYTES = 4 * 2 ** 20;

export class ImportedReferrers {
  readonly #parts: ImportedReferrersParts;

  constructor(parts: ImportedReferrersParts) {
    this.#parts = parts;
  }

  /**
   * The answer that `ask` gives, with what was imported beside it. Throws what `ask` throws where nothing was: but what was itself imported as
   * a referrer, or in an index that has imported ones, came with all that its source knew of it, and has an empty list then. Clients ask on
   * until they get one (`oras discover`, `oras copy -r`).
   */
  async with(target: ReferrersTarget, ask: () => Promise<ReferrersAnswer>): Promise<ReferrersAnswer> {
    const digests = await this.#parts.rows.referrersIn(target, target.digest, MOST);
    if (digests.length === 0 && !(await this.#cameWithReferrers(target))) return await ask();
    const items = await this.#itemsOf(digests, target.artifactType);
    let answer: ReferrersAnswer;
    try {
      answer = await ask();
    } catch (error) {
      if (!isOfUpstream(error)) throw error;
      const warning = `stale: only what was imported is listed (${reasonOf(error)})`;
      const facts = { outcome: "stale", warning, checkedAt: this.#parts.clock.now() } as const;
      return this.#answer({ ...facts, filtered: target.artifactType !== undefined }, items);
    }
    return await this.#beside(answer, items);
  }

  async #cameWithReferrers(target: ReferrersTarget): Promise<boolean> {
    const { rows, metadata } = this.#parts;
    if ((await metadata.link(target, target.digest))?.isImported !== true) return false;
    if (await rows.isReferrer(target, target.digest)) return true;
    for (const above of await rows.ancestorsOf(target.digest))
      if ((await rows.referrersIn(target, above, 1)).length > 0) return true;
    return false;
  }

  async #beside(answer: ReferrersAnswer, items: readonly Item[]): Promise<ReferrersAnswer> {
    const listed: Buffer[] = [];
    const known = new Set<string | undefined>();
    await eachItem(answer.body, "manifests", (item) => {
      listed.push(Buffer.from(item));
      known.add(textOf(parseJsonObject(item)?.digest));
    });
    const more = items.filter(({ digest }) => !known.has(digest));
    if (more.length === 0) return answer;
    const { body: _, release, ...facts } = answer;
    release();
    return this.#answer(facts, [...listed.map((text) => ({ text })), ...more]);
  }

  #answer(
    facts: Omit<ReferrersAnswer, "body" | "release">,
    items: readonly { readonly text: Buffer }[],
  ): ReferrersAnswer {
    const parts = items.flatMap(({ text }) => [COMMA, text]);
    const body = Buffer.concat([START, ...parts.slice(1), END]);
    return { ...facts, body, release: this.#parts.room.occupy(body) };
  }

  /** As a registry lists them (distribution-spec, "Listing Referrers"). */
  async #itemsOf(digests: readonly Digest[], artifactType: string | undefined): Promise<Item[]> {
    const items: Item[] = [];
    let bytes = 0;
    for (const digest of digests) {
      const item = await this.#itemOf(digest);
      if (item === undefined || (artifactType !== undefined && item.artifactType !== artifactType)) continue;
      const text = Buffer.from(JSON.stringify(item));
      bytes += text.length;
      if (bytes > MOST_BYTES) break;
      items.push({ digest, text });
    }
    return items;
  }

  async #itemOf(digest: Digest) {
    const manifest = await this.#parts.metadata.manifest(digest);
    if (manifest === undefined) return undefined;
    const { bytes, mediaType } = manifest;
    const { artifactType, annotations } = viewManifest(bytes, mediaType);
    const more = {
      ...(artifactType !== undefined && { artifactType }),
      ...(annotations !== undefined && { annotations }),
    };
    return { mediaType, digest, size: bytes.length, ...more };
  }
}

/** What the upstream said or did not say. That something may not pass, or that this process ends, is no word of an upstream. */
function isOfUpstream(error: unknown): boolean {
  return (
    error instanceof GranaryError && !["denied", "closed", "aborted", "route-unknown"].includes(error.code)
  );
}

const START = Buffer.from(`{"schemaVersion":2,"mediaType":"${OCI_INDEX}","manifests":[`);
const END = Buffer.from("]}");
const COMMA = Buffer.from(",");
