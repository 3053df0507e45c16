/**
 * Owns what is believed no more once a client has pushed something to a registry, or deleted it there: what the tag meant, and that something is
 * not there. Who pushes wants to pull what was pushed. It drops nothing that is stored.
 */
import type { ManifestTarget } from "../routing/target.ts";
import type { Access } from "./access/access.ts";
import type { Links } from "./access/links.ts";
import type { Manifests } from "./manifests.ts";

export type PushedParts = {
  readonly manifests: Pick<Manifests, "expire" | "imported">;
  readonly access: Pick<Access, "imported">;
  readonly links: Pick<Links, "imported">;
};

/** Clients ask whether a layer is there before they push it; the manifest comes last, so it alone has to be told. */
export function pushed({ manifests, access, links }: PushedParts, target: ManifestTarget): void {
  const { upstream, repository, reference } = target;
  const tag = "tag" in reference ? { upstream, repository, tag: reference.tag, acceptClass: "" } : undefined;
  if (tag !== undefined) manifests.expire(tag);
  manifests.imported(tag);
  access.imported();
  links.imported(target, []);
}
