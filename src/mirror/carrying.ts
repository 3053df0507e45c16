/** Owns the composition of what carries content in and out of one Mirror: imports and exports. They do nothing that the Mirror's parts do not. */
import type { ContentRows } from "../metadata/content-rows.ts";
import type { RepositoryKey } from "../metadata/metadata.ts";
import type { Platform } from "../oci/descriptor.ts";
import type { Digest } from "../oci/digest.ts";
import type { UpstreamClient } from "../upstream/upstream-client.ts";
import type { Access } from "./access/access.ts";
import { isEverybodys } from "./access/everybodys.ts";
import type { Links } from "./access/links.ts";
import { type Bundles, createBundles } from "./bundles/bundles.ts";
import type { StoredPatterns } from "./bundles/named-things.ts";
import { createImports, type Imports, type ImportsParts } from "./imports/imports.ts";
import { digestsIn } from "./lists/list-items.ts";
import type { Referrers } from "./lists/referrers.ts";
import type { Manifests } from "./manifests.ts";
import type { Mirror } from "./mirror.ts";

export type CarryingParts = Omit<ImportsParts, "forget" | "upstreams" | "links" | "isEverybodys"> & {
  readonly mirror: Pick<Mirror, "manifest" | "headManifest" | "blob" | "statBlob" | "referrers">;
  readonly referrers: Pick<Referrers, "known">;
  readonly contents: ContentRows;
  readonly names: StoredPatterns;
  readonly links: Links;
  readonly manifests: Pick<Manifests, "imported">;
  readonly access: Pick<Access, "imported">;
  readonly clients: () => readonly UpstreamClient[];
  readonly host: Platform | undefined;
};

/** Whoever exports may see what our logins can read. */
const OWNER = { loggedIn: true, userAgent: undefined } as const;
const MOST_REFERRERS = 1_000;

export type Carrying = { readonly imports: Imports; readonly bundles: Bundles };

export function carrying(parts: CarryingParts): Carrying {
  const { manifests, access, contents, host = { os: "linux", architecture: "amd64" } } = parts;
  const forget: ImportsParts["forget"] = (key) => {
    manifests.imported(key);
    access.imported();
  };
  const upstreams = () => parts.clients().map(({ upstream }) => upstream);
  return {
    imports: createImports({
      ...{ ...parts, forget, upstreams },
      isEverybodys: (digest) => isEverybodys(digest, parts),
    }),
    bundles: createBundles({
      ...{ ...parts, stored: contents, host, upstreams },
      referrersOf: (where, digest, isAsked) => referrersOf(parts, where, digest, isAsked),
    }),
  };
}

/** In one repository: what was listed last or imported, or, where the upstream is to be asked, what it lists now as well. */
async function referrersOf(
  { mirror, referrers, contents }: CarryingParts,
  where: RepositoryKey,
  digest: Digest,
  isAsked: boolean,
): Promise<readonly Digest[]> {
  if (!isAsked) {
    const brought = await contents.referrersIn(where, digest, MOST_REFERRERS);
    return [...new Set([...(await referrers.known(where, digest)), ...brought])];
  }
  const { upstream, repository } = where;
  const target = { kind: "referrers", upstream, repository, digest, artifactType: undefined } as const;
  const { body, release } = await mirror.referrers(target, OWNER);
  return await digestsIn(body).finally(release);
}
