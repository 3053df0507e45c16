/** Owns how a change is applied to a link, the same for every Metadata. Pure. */
import type { Confirmation, Link, LinkChange } from "./metadata.ts";

/** The link after `change`. */
export function changedLink(known: Link | undefined, change: LinkChange): Link {
  const { digest } = change;
  const stated = known?.stated;
  const confirmed = known?.confirmed;
  const mark = known?.isImported === true ? { isImported: true as const } : {};
  if (change.kind === "stated") return { digest, stated: change.size ?? stated, confirmed, ...mark };
  if (change.kind === "confirmed") return { digest, stated, confirmed: better(confirmed, change), ...mark };
  if (change.kind === "imported") {
    const measured = { size: change.size, isMeasured: true, mediaType: change.mediaType };
    return { digest, stated, confirmed: better(confirmed, measured), isImported: true };
  }
  return {
    ...mark,
    digest,
    stated: undefined,
    confirmed: confirmed && { ...confirmed, size: undefined, isMeasured: false },
  };
}

/** The shortest list of changes that does what `earlier` and then `change` do. */
export function changesWith(earlier: readonly LinkChange[], change: LinkChange): LinkChange[] {
  const { digest } = change;
  const known = earlier.reduce<Link | undefined>(changedLink, undefined);
  if (change.kind === "unsized") {
    const confirmed = known?.confirmed;
    const unsized = confirmed && ({ ...confirmed, kind: "confirmed", digest, size: undefined } as const);
    const imported = earlier.filter(({ kind }) => kind === "imported");
    return unsized === undefined ? [change] : [...imported, unsized, change];
  }
  return [...earlier.filter(({ kind }) => kind !== change.kind), withKnown(change, known)];
}

function withKnown(change: LinkChange, known: Link | undefined): LinkChange {
  if (change.kind === "stated") return { ...change, size: change.size ?? known?.stated };
  return change.kind === "confirmed" ? { ...change, ...better(known?.confirmed, change) } : change;
}

/** A measured size is not replaced by one that a HEAD states, and what an answer leaves out stays as it was. */
function better(known: Confirmation | undefined, news: Confirmation): Confirmation {
  const mediaType = news.mediaType ?? known?.mediaType;
  const isKept = known !== undefined && !news.isMeasured && (known.isMeasured || news.size === undefined);
  const { size, isMeasured } = isKept ? known : news;
  return { size, isMeasured, mediaType };
}
