/** Owns the contract of every Metadata: that of a BlobCatalog and that of a Knowledge, run once per backend. */
import type { Metadata } from "../../src/metadata/metadata.ts";
import { blobCatalogContract } from "./blob-catalog-contract.ts";
import { knowledgeContract } from "./knowledge-contract.ts";

/**
 * `open` gives an empty Metadata; `reopen` one over the same content, after the first was closed. One that `forgives` says nothing of
 * rows that it cannot write.
 */
export function metadataContract(
  backend: string,
  open: () => Promise<{ metadata: Metadata; reopen(): Promise<Metadata> }>,
  options: { readonly forgives?: boolean } = {},
): void {
  blobCatalogContract(backend, open);
  const openKnowledge = async () => {
    const { metadata, reopen } = await open();
    return { knowledge: metadata, close: () => metadata.close(), reopen };
  };
  knowledgeContract(backend, openKnowledge, options);
}
