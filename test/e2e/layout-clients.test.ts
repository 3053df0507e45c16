/** Shows that crane, regctl and oras, each in its newest version, copy through Granary: cold, warm, offline and many at once; indexes and artifacts too. */
import { expect, test } from "vitest";
import { LAYOUT_CLIENTS } from "./support/layout-clients.ts";
import { describePulls, HUB } from "./support/pull-scenario.ts";

for (const kind of LAYOUT_CLIENTS) {
  describePulls(kind, (stage) => {
    test("copies an index with all its platforms and an artifact, again with the upstream gone", async () => {
      const { cleanup, granary, upstream, front } = stage();
      const { index, artifact } = upstream.content;
      const pullBoth = async () => {
        const client = await kind.start(cleanup, granary.port(HUB));
        expect(await client.pull(index)).toMatchObject({ manifest: index.manifest.digest });
        expect(await client.pull(artifact)).toEqual({
          manifest: artifact.manifest.digest,
          config: artifact.config.digest,
        });
      };
      await pullBoth();
      expect(front.account.violations).toEqual([]);
      await front.pause();
      await pullBoth();
    });
  });
}
