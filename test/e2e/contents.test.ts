/**
 * Shows with skopeo and a real registry that what is kept stays when room is made while a client pulls, and is served with the upstream gone; and
 * that what was removed is pulled again for the price of what went.
 */
import { expect, test } from "vitest";
import { FAST_LINE } from "./support/lines.ts";
import { HUB, useStage } from "./support/pull-scenario.ts";
import { UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { skopeo } from "./support/skopeo-client.ts";

describeWith(["skopeo", ...UPSTREAM_PROGRAMS], "skopeo, and what is stored steered by commands", () => {
  const stage = useStage(FAST_LINE);

  test("what is kept stays while room is made beside a pull, and is pulled with the upstream gone", async () => {
    const { cleanup, granary, upstream, front } = stage();
    const { index, big } = upstream.content;
    const fresh = () => skopeo.start(cleanup, granary.port(HUB));
    await (await fresh()).pull(index);
    expect(await granary.ask("keep", `docker.io/${index.repository}`)).toContain("Kept from now on");
    const client = await fresh();
    const [pulled] = await Promise.all([client.pull(big), granary.ask("evict", "--free", "50GiB")]);
    expect(pulled).toEqual({ manifest: big.manifest.digest, config: big.config.digest });
    await granary.ask("evict", "--free", "50GiB");
    const { items } = JSON.parse(await granary.ask("list", "--sort", "name", "--json"));
    const sizes = new Map<string, number>(
      items.map((item: { repository: string; size: number }) => [item.repository, item.size]),
    );
    expect(sizes.get(big.repository)).toBe(0);
    expect(sizes.get(index.repository)).toBeGreaterThan(0);
    await front.pause();
    await (await fresh()).pull(index);
  });

  test("what was removed is pulled again for the price of what went", async () => {
    const { cleanup, granary, upstream, front } = stage();
    const { tagged } = upstream.content;
    const [one, two] = tagged;
    if (one === undefined || two === undefined) throw new Error("there are too few tags");
    const fresh = () => skopeo.start(cleanup, granary.port(HUB));
    for (const image of [one, two]) await (await fresh()).pull(image);
    const name = `docker.io/${one.repository}:${one.tag}`;
    const would = JSON.parse(await granary.ask("remove", name, "--dry-run", "--json"));
    const did = JSON.parse(await granary.ask("remove", name, "--json"));
    expect({ ...did, dryRun: true }).toEqual(would);
    front.account.clear();
    await (await fresh()).pull(one);
    const blobs = [one.config, ...one.layers].map(({ digest }) => digest);
    const fetched = [...new Set(blobs)].reduce((sum, digest) => sum + front.account.bytesSentFor(digest), 0);
    expect(fetched).toBe(would.freed);
  });
});
