/** Owns the composition of what carries content in and out of one Mirror: imports and exports. They do nothing that the Mirror's parts do not. */
import type { ContentRows } from "../metadata/content-rows.ts";
import type { Platform } from "../oci/descriptor.ts";
import type { Upstream } from "../upstream/policy.ts";
import type { Access } from "./access/access.ts";
import type { Links } from "./access/links.ts";
import { type Bundles, createBundles } from "./bundles/bundles.ts";
import { createImports, type Imports, type ImportsParts } from "./imports/imports.ts";
import type { Manifests } from "./manifests.ts";
import type { Mirror } from "./mirror.ts";

export type CarryingParts = Omit<ImportsParts, "forget" | "upstreams" | "links"> & {
  readonly mirror: Pick<Mirror, "manifest" | "blob" | "statBlob">;
  readonly contents: ContentRows;
  readonly links: Links;
  readonly manifests: Pick<Manifests, "imported">;
  readonly access: Pick<Access, "imported">;
  readonly upstreams: () => readonly Upstream[];
  readonly host: Platform | undefined;
};

export type Carrying = { readonly imports: Imports; readonly bundles: Bundles };

export function carrying(parts: CarryingParts): Carrying {
  const { manifests, access, contents, host = { os: "linux", architecture: "amd64" } } = parts;
  const forget: ImportsParts["forget"] = (key) => {
    manifests.imported(key);
    access.imported();
  };
  return {
    imports: createImports({ ...parts, forget }),
    bundles: createBundles({ ...parts, stored: contents, host }),
  };
}
