/**
 * Owns what the status adds for people to what the engine tells: what each blob that fills is to its image, and what would be evicted next. It is
 * asked only where somebody looks.
 */
import type { FillFacts } from "../../fill/fill-facts.ts";
import type { ContentRows } from "../../metadata/content-rows.ts";
import type { Clock } from "../../observe/clock.ts";
import type { MirrorStatus } from "../mirror.ts";
import type { DiskUse } from "../space/disk-measure.ts";
import type { Space } from "../space/space.ts";
import { BlobRoles } from "./blob-roles.ts";
import { NextToGo } from "./next-to-go.ts";

type Parts = {
  readonly rows: Pick<ContentRows, "repositoriesWith" | "listedAs">;
  readonly space: Pick<Space, "goNext">;
  readonly clock: Clock;
};

export class ShownStatus {
  readonly #roles: BlobRoles;
  readonly #next: NextToGo;

  constructor(parts: Parts) {
    this.#roles = new BlobRoles(parts.rows, parts.clock);
    this.#next = new NextToGo(parts);
  }

  /** Never rejects: what cannot be read now is left out. */
  async of(running: readonly FillFacts[], disk: DiskUse): Promise<Pick<MirrorStatus, "fills" | "disk">> {
    const next = await this.#next.look();
    const fills: MirrorStatus["fills"][number][] = [];
    for (const fill of running) fills.push({ ...fill, role: await this.#roles.of(fill.digest) });
    return { fills, disk: { ...disk, next } };
  }
}
