/**
 * Owns what a blob is to the image or model that lists it, in a word that people use. It is read once for each blob that somebody looks at, and
 * never when something is served.
 */
import { LRUCache } from "lru-cache";
import type { PartRows } from "../../metadata/part-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Digest } from "../../oci/digest.ts";
import { kindOf, roleOf } from "../../ollama/model-view.ts";
import { expiringBy, mostEntries } from "../../waiting/expiry.ts";
import type { BlobRole } from "../mirror.ts";

const REMEMBERED = 2_000;
/** A manifest that lists it may come in later. */
const BELIEVED_MS = 10_000;
const WEIGHTS: readonly string[] = ["model", "adapter", "projector", "tensor", "embed"];

export class BlobRoles {
  readonly #rows: Pick<PartRows, "listedAs">;
  readonly #known: LRUCache<Digest, { readonly role: BlobRole | undefined }>;

  constructor(rows: Pick<PartRows, "listedAs">, clock: Clock) {
    this.#rows = rows;
    this.#known = new LRUCache({ ...mostEntries(REMEMBERED), ttl: BELIEVED_MS, ...expiringBy(clock) });
  }

  /** Undefined where no stored manifest lists it, and where that cannot be read now. Never rejects. */
  async of(digest: Digest): Promise<BlobRole | undefined> {
    const known = this.#known.get(digest);
    if (known !== undefined) return known.role;
    const role = await this.#read(digest).catch(() => undefined);
    this.#known.set(digest, { role });
    return role;
  }

  async #read(digest: Digest): Promise<BlobRole | undefined> {
    const listed = await this.#rows.listedAs(digest);
    if (listed === undefined) return undefined;
    if (listed.role === "config") return "config";
    const { mediaType = "" } = listed;
    const kind = kindOf([{ mediaType }]);
    if (kind === "image") return "layer";
    return kind === "model" && WEIGHTS.includes(roleOf(mediaType)) ? "model" : "other";
  }
}
