/** Shows that a Docker engine pulls through Granary on a fast and a slow line, cold, warm, offline and many at once, at the upstream's cost of one. */
import { expect, test } from "vitest";
import { dockerd } from "./support/dockerd-client.ts";
import { describePulls, HUB } from "./support/pull-scenario.ts";

describePulls(dockerd, (stage) => {
  test("takes its own platform out of an index", async () => {
    const { cleanup, granary, upstream } = stage();
    const { index, platforms } = upstream.content;
    const client = await dockerd.start(cleanup, granary.port(HUB));
    const pulled = await client.pull(index);
    expect(pulled).toEqual({ manifest: index.manifest.digest, config: platforms[0]?.config.digest });
  });

  test("pulls every tag of a repository with pull -a, again with the upstream gone", async () => {
    const { cleanup, granary, upstream, front } = stage();
    const { tagged } = upstream.content;
    const repository = tagged[0]?.repository ?? "";
    const wanted = tagged.map(({ tag }) => `${repository.replace("library/", "")}:${tag}`).sort();
    const first = await dockerd.start(cleanup, granary.port(HUB));
    expect((await first.pullAll(repository)).sort()).toEqual(wanted);
    expect(front.account.violations).toEqual([]);
    await front.pause();
    const second = await dockerd.start(cleanup, granary.port(HUB));
    expect((await second.pullAll(repository)).sort()).toEqual(wanted);
  });
});
