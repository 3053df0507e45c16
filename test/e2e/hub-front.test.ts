/** Shows that the stand-in for Docker Hub is one: a real client pulls from it directly, with tokens and redirects. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type HubFront, startHubFront } from "./support/hub-front.ts";
import { type RealUpstream, startRealUpstream, UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

describeWith(UPSTREAM_PROGRAMS, "Docker Hub's stand-in", () => {
  const cleanup = new AsyncDisposableStack();
  let upstream: RealUpstream;
  let front: HubFront;

  beforeAll(async () => {
    upstream = await startRealUpstream(cleanup);
    front = await startHubFront(cleanup, upstream);
  });
  afterAll(() => cleanup.disposeAsync());

  test("holds an image of at least 100 MB in several layers", () => {
    const { layers } = upstream.content.big;
    expect(layers.length).toBeGreaterThanOrEqual(3);
    expect(layers.reduce((sum, layer) => sum + layer.size, 0)).toBeGreaterThanOrEqual(100e6);
  });

  test("gives skopeo an index with all its platforms, after a token and by redirect", async () => {
    const { repository, tag, manifest } = upstream.content.index;
    const place = join(await scratchDirectory(cleanup, "direct"), "copy");
    const source = `docker://${new URL(front.url).host}/${repository}:${tag}`;
    await runCommand("skopeo", ["copy", "--all", "--src-tls-verify=false", source, `dir:${place}`]);
    const asked = (filter: Parameters<typeof front.account.matching>[0]) => front.account.matching(filter);
    expect(asked({ kind: "manifest", reference: tag, status: 200 })).toHaveLength(1);
    expect(asked({ origin: "auth" }).length).toBeGreaterThan(0);
    expect(asked({ origin: "registry", kind: "blob", status: 307 }).length).toBeGreaterThan(0);
    expect(asked({ origin: "cdn", status: 200 }).length).toBeGreaterThan(0);
    expect(front.account.violations).toEqual([]);
    expect(manifest.digest).toMatch(/^sha256:/);
  });

  test("refuses Authorization at the CDN, and a repository without its library/ part", async () => {
    const cdn = front.account.matching({ origin: "cdn" })[0];
    const { host } = cdn?.headers ?? {};
    const refused = await fetch(`http://${host}${cdn?.path}?${cdn?.query}`, {
      headers: { authorization: "x" },
    });
    expect(refused.status).toBe(400);
    const token = await fetch(`${realmOf(front)}?scope=repository:debian-test:pull`);
    const { token: bearer } = (await token.json()) as { token: string };
    const absent = await fetch(`${front.url}/v2/debian-test/manifests/latest`, {
      headers: { authorization: `Bearer ${bearer}` },
    });
    expect(absent.status).toBe(401);
  });
});

function realmOf(front: HubFront): string {
  const { headers } = front.account.matching({ origin: "auth" })[0] ?? {};
  return `http://${headers?.host}/token`;
}
