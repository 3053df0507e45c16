/** Owns the port UnneededRows: what has to be asked, and done, so that names leave by themselves when nothing needs them. Types only. */
import type { ContentRemoval } from "./content-removal.ts";
import type { ContentRows } from "./content-rows.ts";

export type UnneededRows = Pick<
  ContentRows,
  "manifestsUnusedSince" | "partsOf" | "repositoriesWith" | "tagsIn"
> &
  Pick<ContentRemoval, "leave" | "haveLeft" | "dropOldLists"> & {
    /** These are copies of what is known elsewhere, and stays there: no upstream is asked before they leave. */
    readonly areCopies?: boolean;
  };
