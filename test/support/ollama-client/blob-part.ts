/** Owns the parts of a blob: how a size is cut into them, and what is remembered of each. Pure. */

export type BlobPart = {
  readonly index: number;
  readonly offset: number;
  readonly size: number;
  /** Bytes of it that are in place. */
  completed: number;
};

export type PartLimits = { readonly smallest: number; readonly largest: number };

/** 100 MB to 1000 MB, decimal. */
export const OLLAMA_LIMITS: PartLimits = { smallest: 100e6, largest: 1000e6 };

/** `total` in about `count` parts; the last one takes the rest. */
export function cutIntoParts(total: number, count: number, { smallest, largest }: PartLimits): BlobPart[] {
  const size = Math.min(Math.max(Math.floor(total / count), smallest), largest);
  const parts: BlobPart[] = [];
  for (let offset = 0; offset < total; offset += size) {
    parts.push({ index: parts.length, offset, size: Math.min(size, total - offset), completed: 0 });
  }
  return parts;
}
