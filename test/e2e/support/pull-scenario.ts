/**
 * Owns what every real container client must live through, on a fast and on a slow line: cold, warm after the tag's
 * lifetime, an index, the upstream gone, and eight at once in a crowd of forty readers. One suite, run per client and
 * line; it asserts what the client holds and what the upstream was asked.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "vitest";
import type { GranaryProcess } from "./granary-process.ts";
import { startGranary } from "./granary-process.ts";
import { type HubFront, startHubFront } from "./hub-front.ts";
import type { ImageClientKind, PulledImage } from "./image-client.ts";
import { LINES, type LineKind, mostCrossed, type OpenLine, openLine } from "./lines.ts";
import { readAround } from "./readers-around.ts";
import { type RealUpstream, startRealUpstream, UPSTREAM_PROGRAMS } from "./real-upstream.ts";
import { describeWith } from "./required-programs.ts";
import type { StoredImage } from "./upstream-content.ts";

export const HUB = "docker.io";
/** More than a fill has lanes. Eight engines are what two cores can run; the other readers of the forty are light. */
const AT_ONCE = 8;
const AROUND = 32;
const TAG_LIFETIME_MS = 2000;

/** What a scenario's tests work with; a new Granary, and so a cold one, each. */
export type Stage = {
  readonly upstream: RealUpstream;
  readonly front: HubFront;
  readonly granary: GranaryProcess;
  /** Between Granary and the front, where there is one. */
  readonly way: OpenLine | undefined;
  /** Closed after the test. */
  readonly cleanup: AsyncDisposableStack;
};

/** The scenario for `kind`, on each line; `more` adds tests of that client alone. */
export function describePulls(kind: ImageClientKind, more: (stage: () => Stage) => void = () => {}): void {
  for (const line of LINES) {
    const title = `${kind.name} through Granary on ${line.name}`;
    describeWith([...kind.programs, ...UPSTREAM_PROGRAMS, "curl"], title, () => {
      const stage = useStage(line);
      definePulls(kind, stage);
      more(stage);
    });
  }
}

/** Starts the real upstream and Docker Hub's stand-in once, a line and a Granary per test. */
export function useStage(line: LineKind): () => Stage {
  const house = new AsyncDisposableStack();
  let standing: { upstream: RealUpstream; front: HubFront };
  let stage: Stage;
  let cleanup = new AsyncDisposableStack();
  beforeAll(async () => {
    const upstream = await startRealUpstream(house);
    standing = { upstream, front: await startHubFront(house, upstream) };
  });
  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    await standing.front.resume();
    standing.front.account.clear();
    const way = await openLine(cleanup, line, standing.front);
    const settings = {
      endpoints: [standing.front.url],
      internal: true,
      realms: ["127.0.0.2"],
      tagLifetime: `${TAG_LIFETIME_MS}ms`,
    };
    const granary = await startGranary(cleanup, { upstreams: { [HUB]: settings } });
    stage = { ...standing, granary, way, cleanup };
  });
  afterEach(() => cleanup.disposeAsync());
  afterAll(() => house.disposeAsync());
  return () => stage;
}

function definePulls(kind: ImageClientKind, stage: () => Stage): void {
  const freshClient = () => kind.start(stage().cleanup, stage().granary.port(HUB));

  test("pulls a cold image, then a warm one for a HEAD, then without any upstream", async () => {
    const { front, upstream } = stage();
    const { big } = upstream.content;
    expectImage(await (await freshClient()).pull(big), big);
    expectEachBlobOnce(stage(), big);
    expect(front.account.matching({ kind: "manifest", method: "GET", status: 200 })).toHaveLength(1);

    await tagLifetime(front);
    front.account.clear();
    expectImage(await (await freshClient()).pull(big), big);
    expect(front.account.matching({ kind: "manifest", method: "GET" })).toEqual([]);
    expect(front.account.matching({ kind: "manifest", method: "HEAD", status: 200 })).toHaveLength(1);
    expect(front.account.matching({ kind: "blob" })).toEqual([]);

    await front.pause();
    await tagLifetime(front);
    expectImage(await (await freshClient()).pull(big), big);
  });

  test("pulls one image eight times at once, in a crowd of forty, for the price of one", async () => {
    const { front, granary, upstream } = stage();
    const { big } = upstream.content;
    const clients = await Promise.all(Array.from({ length: AT_ONCE }, freshClient));
    const around = readAround(`${granary.url(HUB)}/v2/${big.repository}/blobs`, big.layers, AROUND);
    const [pulled] = await Promise.all([Promise.all(clients.map((client) => client.pull(big))), around]);
    for (const image of pulled) expectImage(image, big);
    expectEachBlobOnce(stage(), big);
    expect(front.account.matching({ kind: "manifest", method: "GET", status: 200 })).toHaveLength(1);
  });
}

function expectImage(pulled: PulledImage, stored: StoredImage): void {
  expect(pulled).toEqual({ manifest: stored.manifest.digest, config: stored.config.digest });
}

/** Each blob crossed once, within 2 %; nothing secret went where it should not. On a line, `images` are all that crossed it. */
export function expectEachBlobOnce(stage: Stage, ...images: readonly StoredImage[]): void {
  const { front, granary, way } = stage;
  const blobs = new Map(
    images.flatMap(({ layers, config }) => [...layers, config]).map(({ digest, size }) => [digest, size]),
  );
  const story = (digest: string) => `${digest}; asked: ${askedFor(front, digest)}; ${complaintsOf(granary)}`;
  for (const [digest, size] of blobs) {
    const sent = front.account.bytesSentFor(digest);
    const most = way === undefined ? size * 1.02 : Number.POSITIVE_INFINITY;
    if (sent < size || sent > most) expect.fail(`${sent} of ${size} bytes of ${story(digest)}`);
  }
  if (way !== undefined) {
    const total = [...blobs.values()].reduce((sum, size) => sum + size, 0);
    const answers = front.account.matching({ origin: "cdn" }).length;
    const { carried } = way.fronts.cdn.account;
    if (carried > mostCrossed(total, answers))
      expect.fail(`${carried} of ${total} bytes crossed: ${[...blobs.keys()].map(story).join("\n")}`);
  }
  expect(front.account.violations).toEqual([]);
}

function askedFor(front: HubFront, digest: string): string {
  const asked = front.account.matching({ origin: "cdn", reference: digest });
  return asked.map(({ range, bytesSent, status }) => `${range} ${status} ${bytesSent}`).join(", ");
}

/** What Granary's log says above the level of information. */
function complaintsOf({ log }: GranaryProcess): string {
  const lines = log.split("\n").filter((line) => /"level":"(?:warn|error|fatal)"/.test(line));
  return lines.join("\n").slice(0, 4000);
}

/** Time itself is what is waited for: after it, a stored tag is no longer fresh. What of it a pull took is not waited for again. */
function tagLifetime({ account }: HubFront): Promise<void> {
  const askedAt = Math.max(...account.matching({ kind: "manifest" }).map(({ startedAt }) => startedAt));
  // Twice the lifetime from when the answer was asked for, because it may have come late.
  return sleep(Math.min(TAG_LIFETIME_MS + 100, Math.max(0, askedAt + 2 * TAG_LIFETIME_MS - Date.now())));
}
