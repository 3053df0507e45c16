/**
 * Owns what is believed no more before its time: what a tag means, and that something is not there, once a client has pushed to the registry or
 * deleted there, or a person wants it asked anew; here, and at the other nodes of a fleet. It drops nothing that is stored.
 */
import { messageOf } from "../errors.ts";
import type { AskAnew } from "../fleet/knowledge/ask-anew.ts";
import type { Log } from "../observe/log.ts";
import type { ManifestTarget } from "../routing/target.ts";
import type { Access } from "./access/access.ts";
import type { Links } from "./access/links.ts";
import type { Manifests } from "./manifests.ts";

export type AskingAnewParts = {
  readonly manifests: Pick<Manifests, "expire" | "imported">;
  readonly access: Pick<Access, "imported">;
  readonly links: Pick<Links, "imported">;
  /** See FleetPart. */
  readonly tell: ((names: AskAnew) => Promise<void>) | undefined;
  readonly log: Log;
};

export class AskingAnew {
  readonly #parts: AskingAnewParts;

  constructor(parts: AskingAnewParts) {
    this.#parts = parts;
  }

  /** Here alone: also for what another node tells. */
  here({ upstream, repository, tags, isPushed }: AskAnew): void {
    const { manifests, access, links } = this.#parts;
    const where = { upstream, repository };
    const keys = tags.map((tag) => ({ ...where, tag, acceptClass: "" }));
    for (const key of keys) manifests.expire(key);
    if (!isPushed) return;
    for (const key of keys.length > 0 ? keys : [undefined]) manifests.imported(key);
    access.imported();
    links.imported(where, []);
  }

  /** For a person, who waits for it. Throws `fleet-unavailable` where the others cannot hear it, and nothing has changed then. */
  async everywhere(names: AskAnew): Promise<void> {
    await this.#parts.tell?.(names);
    this.here(names);
  }

  /** Clients ask whether a layer is there before they push it; the manifest comes last, so it alone has to be told. */
  pushed({ upstream, repository, reference }: ManifestTarget): void {
    const names = { upstream, repository, tags: "tag" in reference ? [reference.tag] : [], isPushed: true };
    this.here(names);
    this.#parts.tell?.(names).catch((error: unknown) => {
      const message =
        "other nodes could not be told of a push, and give out what they know until its time is over";
      this.#parts.log.warn({ upstream, repository, reason: messageOf(error) }, message);
    });
  }
}
