/** Shows that skopeo copies through Granary, on a fast and on a slow line: cold, warm, offline and many at once; images, indexes and artifacts. */
import { expect, test } from "vitest";
import { describePulls, expectEachBlobOnce, HUB } from "./support/pull-scenario.ts";
import { skopeo } from "./support/skopeo-client.ts";

describePulls(skopeo, (stage) => {
  test("copies an index with all its platforms, byte for byte, again with the upstream gone", async () => {
    const { cleanup, granary, upstream, front } = stage();
    const { index, platforms } = upstream.content;
    const parts = platforms.flatMap(({ manifest, config, layers }) => [manifest, config, ...layers]);
    const wanted = [index.manifest, ...parts].map(({ digest }) => digest);
    const first = await skopeo.start(cleanup, granary.port(HUB));
    await first.pull(index);
    expect([...(await first.copied(index))]).toEqual(expect.arrayContaining(wanted));
    expectEachBlobOnce(stage(), ...platforms);
    await front.pause();
    const second = await skopeo.start(cleanup, granary.port(HUB));
    await second.pull(index);
    expect([...(await second.copied(index))]).toEqual(expect.arrayContaining(wanted));
  });

  test("copies an artifact that is no image", async () => {
    const { cleanup, granary, upstream } = stage();
    const { artifact } = upstream.content;
    const client = await skopeo.start(cleanup, granary.port(HUB));
    expect(await client.pull(artifact)).toEqual({
      manifest: artifact.manifest.digest,
      config: artifact.config.digest,
    });
    expectEachBlobOnce(stage(), artifact);
  });

  test("keeps a client's own Authorization to itself", async () => {
    const { granary, upstream, front } = stage();
    const { artifact } = upstream.content;
    const secret = `Basic ${Buffer.from("someone:hunter2").toString("base64")}`;
    const layer = artifact.layers[0]?.digest ?? "";
    for (const path of [`manifests/${artifact.tag}`, `blobs/${layer}`]) {
      const url = `${granary.url(HUB)}/v2/${artifact.repository}/${path}`;
      const answer = await fetch(url, { headers: { authorization: secret } });
      expect(answer.status).toBe(200);
      await answer.arrayBuffer();
    }
    const carried = front.account.requests.map(({ headers }) => headers.authorization ?? "");
    expect(carried.filter((value) => value.includes(secret.slice(6)))).toEqual([]);
    expect(granary.log).not.toContain("hunter2");
    expect(granary.log).not.toContain(secret.slice(6));
  });
});
