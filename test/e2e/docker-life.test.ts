/**
 * Shows the whole life with Docker: pulls while there is little room, what was pulled seen and removed by commands, brought in ahead, and
 * carried to a place without a line.
 */
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventually } from "../support/patience.ts";
import { dockerd } from "./support/dockerd-client.ts";
import { type GranaryProcess, startGranary } from "./support/granary-process.ts";
import { type HubFront, startHubFront } from "./support/hub-front.ts";
import type { PulledImage } from "./support/image-client.ts";
import { HUB } from "./support/pull-scenario.ts";
import { type RealUpstream, startRealUpstream, UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";
import type { StoredImage } from "./support/upstream-content.ts";

/** Bytes a second and connection: what runs is still running when a command has ended. */
const SLOW = 400_000;

describeWith([...dockerd.programs, ...UPSTREAM_PROGRAMS], "the life with Docker", () => {
  let cleanup: AsyncDisposableStack;
  let upstream: RealUpstream;
  let front: HubFront;

  beforeEach(async () => {
    cleanup = new AsyncDisposableStack();
    upstream = await startRealUpstream(cleanup);
    front = await startHubFront(cleanup, upstream);
  });
  afterEach(() => cleanup.disposeAsync());

  const granaryOf = (endpoint: string, maxSize = "50GiB") =>
    startGranary(cleanup, {
      upstreams: { [HUB]: { endpoints: [endpoint], internal: true, realms: ["127.0.0.2"] } },
      maxSize,
    });
  const fetched = ({ config, layers }: StoredImage) =>
    [config, ...layers].map(({ digest }) => front.account.bytesSentFor(digest));

  test("what is kept stays whole while Docker pulls more than there is room for, once, and is pulled with the upstream gone", async () => {
    const { big, tagged, platforms } = upstream.content;
    const [one, two] = tagged;
    const [kept] = platforms;
    if (one === undefined || two === undefined || kept === undefined) throw new Error("too few images");
    // Little more than the large image alone.
    const granary = await granaryOf(front.url, "110MiB");
    const docker = await dockerd.start(cleanup, granary.port(HUB));
    for (const image of [kept, one, two]) await docker.pull(image);
    expect(await granary.ask("keep", nameOf(kept))).toContain("Kept from now on");

    front.settings.bandwidth.cdn = SLOW;
    const pulling = docker.pull(big);
    await eventually(() => expect(sum(fetched(big))).toBeGreaterThan(5e6));
    await granary.ask("evict", "--free", "50GiB");
    expect(sum(fetched(big)), "the pull is still running").toBeLessThan(sum(sizesOf(big)));
    front.settings.bandwidth.cdn = undefined;
    expect(await pulling).toEqual(idOf(big));
    expect(fetched(big)).toEqual(sizesOf(big));

    await granary.ask("evict", "--free", "50GiB");
    expect(await storedOf(granary, kept)).toBe(sum(sizesOf(kept)));
    // All of them begin with one layer.
    const [, shared = 0] = sizesOf(kept);
    for (const image of [one, two]) expect(await storedOf(granary, image)).toBe(shared);
    expect(await storedOf(granary, big)).toBe(0);
    await front.pause();
    await docker.forget(kept);
    expect(await docker.pull(kept)).toEqual(idOf(kept));
  });

  test("what Docker pulled is seen, removed, fetched anew once, brought in ahead, and carried to a place without a line", async () => {
    const { tagged, index, platforms } = upstream.content;
    const [one, two] = tagged;
    if (one === undefined || two === undefined) throw new Error("too few images");
    const granary = await granaryOf(front.url);
    const docker = await dockerd.start(cleanup, granary.port(HUB));
    await docker.pull(one);
    expect(await granary.ask("list")).toContain(`${HUB}/${one.repository}`);
    expect(await granary.ask("show", nameOf(one))).toContain(one.manifest.digest);
    expect(await granary.ask("status")).toMatch(/^Stored +3 blobs, 1 manifest$/m);
    expect(await granary.ask("pulls")).toMatch(new RegExp(`docker +${nameOf(one)}$`, "m"));
    expect(await granary.ask("traffic")).toContain(" served, ");

    expect(await granary.ask("remove", nameOf(one))).toContain("Removed 1 name and 3 blobs");
    await docker.forget(one);
    front.account.clear();
    expect(await docker.pull(one)).toEqual(idOf(one));
    expect(fetched(one)).toEqual(sizesOf(one));
    // Docker keeps manifests of what it removed for some seconds: then it asks only what the tag means, and the manifest is not here.
    await granary.ask("warm", nameOf(one), "--platform", "linux/amd64");

    const names = [nameOf(one), nameOf(two), nameOf(index)];
    const amd64 = ["--platform", "linux/amd64"];
    expect(await granary.ask("warm", ...names.slice(1), ...amd64)).toMatch(/^2 brought in /);
    await front.pause();
    expect(await docker.pull(two)).toEqual(idOf(two));

    const bundle = join(await scratchDirectory(cleanup, "bundle"), "lab.tar");
    await granary.ask("bundle", "export", bundle, ...names, ...amd64);
    const there = await granaryOf("http://127.0.0.1:1");
    await there.ask("bundle", "import", bundle);
    const other = await dockerd.start(cleanup, there.port(HUB));
    for (const image of [one, two]) expect(await other.pull(image)).toEqual(idOf(image));
    const chosen = { manifest: index.manifest.digest, config: platforms[0]?.config.digest };
    expect(await other.pull(index)).toEqual(chosen);
  });
});

/** Bytes of it that are here. */
async function storedOf(granary: GranaryProcess, image: StoredImage): Promise<number> {
  const { items } = JSON.parse(await granary.ask("list", nameOf(image), "--json"));
  return items[0].size;
}

function nameOf({ repository, tag }: Pick<StoredImage, "repository" | "tag">): string {
  return `${HUB}/${repository}:${tag}`;
}

function idOf({ manifest, config }: StoredImage): PulledImage {
  return { manifest: manifest.digest, config: config.digest };
}

function sizesOf({ config, layers }: StoredImage): number[] {
  return [config, ...layers].map(({ size }) => size);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
