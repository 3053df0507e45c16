/**
 * Owns which new meaning of a tag may pass at an upstream whose new content has to wait (upstreams.NAME.cooldown): what clients are served
 * already passes, and so does what is part of that. It changes no tag and records nothing.
 */
import type { TagKey } from "../../metadata/metadata.ts";
import { subjectOfTag } from "../../oci/attachment.ts";
import type { Digest } from "../../oci/digest.ts";
import type { ManifestHead } from "../../source.ts";
import { listedIn, type ManifestBytes, type ManifestParts } from "../manifests/manifest-bytes.ts";
import type { TagQuestion } from "./ask-tag.ts";
import type { TagRecords } from "./tag-records.ts";

export class TagAdmission {
  readonly #parts: Pick<ManifestParts, "cooldown" | "links">;
  readonly #bytes: ManifestBytes;
  readonly #records: TagRecords;

  constructor(parts: Pick<ManifestParts, "cooldown" | "links">, bytes: ManifestBytes, records: TagRecords) {
    this.#parts = parts;
    this.#bytes = bytes;
    this.#records = records;
  }

  /** What a question about this tag passes what it hears to; undefined where nothing has to wait. */
  of(key: TagKey): TagQuestion["admit"] {
    return this.#parts.cooldown.isCooling(key.upstream) ? (head) => this.#admit(key, head) : undefined;
  }

  /** Throws HeldBack for what is too new at this tag. */
  async #admit(key: TagKey, head: ManifestHead): Promise<void> {
    const { cooldown, links } = this.#parts;
    const served = (await this.#records.find(key))?.record;
    const subject = subjectOfTag(key.tag);
    if (subject !== undefined && (await links.find(key, subject)) !== undefined) return;
    if (served?.digest === head.digest || (await this.#isPartOfServed(key, head.digest))) return;
    await cooldown.admit(key, key.tag, head, served);
  }

  /** What other clients are served of the same tag lists it: one of the platforms of an index. */
  async #isPartOfServed(key: TagKey, digest: Digest): Promise<boolean> {
    if (key.acceptClass === "") return false;
    const known = await this.#records.find({ ...key, acceptClass: "" });
    if (known === undefined) return false;
    const { record } = known;
    const manifest = await this.#bytes.stored(record.digest, record.mediaType);
    return record.digest === digest || (manifest !== undefined && listedIn(manifest).includes(digest));
  }
}
