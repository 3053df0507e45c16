/** Shows that containerd pulls through Granary on a fast and a slow line, cold, warm, offline and many at once, at the upstream's cost of one. */
import { expect, test } from "vitest";
import { ctr } from "./support/ctr-client.ts";
import { describePulls, HUB } from "./support/pull-scenario.ts";

describePulls(ctr, (stage) => {
  test("takes its own platform out of an index", async () => {
    const { cleanup, granary, upstream, front } = stage();
    const { index, platforms } = upstream.content;
    const client = await ctr.start(cleanup, granary.port(HUB));
    const [amd64, arm64] = platforms;
    expect(await client.pull(index)).toEqual({
      manifest: index.manifest.digest,
      config: amd64?.config.digest,
    });
    expect(front.account.matching({ kind: "blob", reference: arm64?.config.digest ?? "" })).toEqual([]);
  });
});
