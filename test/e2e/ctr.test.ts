/** Shows that containerd, Debian's and the newest, pulls through Granary on a fast and a slow line, cold, warm, offline and many at once, at the upstream's cost of one. */
import { expect, test } from "vitest";
import { ctr, ctr2 } from "./support/ctr-client.ts";
import { describePulls, HUB } from "./support/pull-scenario.ts";

for (const kind of [ctr, ctr2]) {
  describePulls(kind, (stage) => {
    test("takes its own platform out of an index", async () => {
      const { cleanup, granary, upstream, front } = stage();
      const { index, platforms } = upstream.content;
      const client = await kind.start(cleanup, granary.port(HUB));
      const [amd64, arm64] = platforms;
      expect(await client.pull(index)).toEqual({
        manifest: index.manifest.digest,
        config: amd64?.config.digest,
      });
      // The newest keeps all that is metadata, so that it can push the index on, and so the other platform's config.
      const foreign = [...(kind === ctr ? [arm64?.config] : []), arm64?.layers.at(-1)];
      for (const other of foreign)
        expect(front.account.matching({ kind: "blob", reference: other?.digest ?? "" })).toEqual([]);
    });
  });
}
