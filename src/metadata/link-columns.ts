/** Owns how a link lies in columns, the same in every database: how sure it is, and what a row stands for. Pure; it asks no database. */
import { parseDigest } from "../oci/digest.ts";
import type { Confirmation, Link } from "./metadata.ts";

/** Values of `confirmed`. Rows from before the column was added count as stated by documents. */
const STATED = 0;
const SAID = 1;
const MEASURED = 2;

export type LinkColumns = {
  readonly digest: string;
  readonly size: number | null;
  readonly confirmed: number;
  readonly confirmedSize: number | null;
  readonly mediaType: string | null;
};

/** The value of `confirmed`. */
export function levelOf(confirmed: Confirmation | undefined): number {
  if (confirmed === undefined) return STATED;
  return confirmed.isMeasured ? MEASURED : SAID;
}

export function linkOf(row: LinkColumns, isImported: boolean): Link {
  const { digest, size, confirmed, confirmedSize, mediaType } = row;
  const confirmation = {
    size: confirmedSize ?? undefined,
    isMeasured: confirmed === MEASURED,
    mediaType: mediaType ?? undefined,
  };
  return {
    digest: parseDigest(digest),
    stated: size ?? undefined,
    confirmed: confirmed === STATED ? undefined : confirmation,
    ...(isImported && { isImported: true }),
  };
}
