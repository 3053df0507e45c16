/**
 * Owns the lines that every scenario of real clients runs on, and putting one before an upstream for one test. What crossed a
 * slow line is the line's own account: an upstream counts what the kernel took from it, also of connections that died.
 */

import { type OriginFronts, type Published, putBehind } from "../../support/slow-line/publish.ts";
import { type LineSettings, SlowLine } from "../../support/slow-line.ts";

export type LineKind = {
  readonly name: string;
  /** Undefined: nothing is between Granary and the upstream. */
  readonly settings: Partial<LineSettings> | undefined;
};

export const FAST_LINE: LineKind = { name: "a fast line", settings: undefined };
/** As a content network gives it to a household far away: each connection is slow, and more of them are faster. */
export const SLOW_LINE: LineKind = {
  name: "a slow line",
  settings: { ratePerConnection: 1_000_000, delayMs: 40 },
};
/** Those of this run: GRANARY_E2E_LINE says "fast" or "slow", as the projects of vitest do; both where it says nothing. */
export const LINES = [FAST_LINE, SLOW_LINE].filter(({ name }) =>
  name.includes(process.env.GRANARY_E2E_LINE ?? ""),
);

export type OpenLine = { readonly line: SlowLine; readonly fronts: OriginFronts };

/** All origins of `registry` are behind a line of `kind`, until `cleanup` is disposed; undefined where there is none. */
export async function openLine(
  cleanup: AsyncDisposableStack,
  { settings }: LineKind,
  registry: Published,
): Promise<OpenLine | undefined> {
  if (settings === undefined) return undefined;
  const line = new SlowLine(settings);
  const fronts = await putBehind(line, registry);
  cleanup.defer(async () => {
    registry.publish(registry.ownUrls);
    await line.close();
  });
  return { line, fronts };
}

/** At most what `answers` answers with so many bytes of content put on the line, with 2 % for connections that died. */
export function mostCrossed(contentBytes: number, answers: number): number {
  return contentBytes * 1.02 + answers * HEADERS;
}

/** Of one answer; Docker Hub's are long. */
const HEADERS = 1024;
