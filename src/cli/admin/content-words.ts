/** Owns the words in which commands speak of contents: how much of something is here, when it was used, and what a name is. Pure. */
import { formatBytes } from "../../bytes/units.ts";
import { formatAge } from "../../observe/age.ts";

type Share = { readonly size: number; readonly partial: number; readonly wanted: number };

/** "all", "62%", "none"; "" where nobody tells how large it is. */
export function hereWords({ size, partial, wanted }: Share): string {
  const here = size + partial;
  if (wanted === 0) return here === 0 ? "" : "all";
  if (here >= wanted) return "all";
  return here === 0 ? "none" : `${Math.min(99, Math.max(1, Math.floor((100 * here) / wanted)))}%`;
}

/** "12 MiB", or with "12 of 40 MiB" what of it is here. */
export function amountWords(share: Share): string {
  const here = share.size + share.partial;
  return here >= share.wanted ? formatBytes(here) : `${formatBytes(here)} of ${formatBytes(share.wanted)}`;
}

export function usedWords(usedAt: number | undefined, now: number): string | undefined {
  return usedAt === undefined ? undefined : formatAge(usedAt, now);
}

/** "docker.io/library/alpine:3.22". */
export function nameWords({ upstream, repository, tag, digest }: Named): string {
  const end = tag !== undefined ? `:${tag}` : digest !== undefined ? `@${digest}` : "";
  return `${upstream}/${repository}${end}`;
}

type Named = {
  readonly upstream: string;
  readonly repository: string;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
};

export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
