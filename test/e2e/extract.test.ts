/**
 * Shows that extraction gives the tree that `umoci unpack` gives, name by name: images of over 100 MB made by tar, umoci and
 * buildah, with whiteouts, opaque directories, links within and across layers, long names, UTF-8, setuid and times.
 */
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openArchive } from "../../src/client/archives/open-archive.ts";
import { unpackImage } from "../../src/client/extraction/unpack-image.ts";
import { imageFrom } from "../../src/client/images/image.ts";
import { IMAGES, makeLayeredImages } from "./support/layered-image.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";
import { differentTimes, treeFacts } from "./support/tree-facts.ts";

const LEAST_BYTES = 100e6;

describeWith(["umoci", "buildah", "skopeo", "tar"], "extraction beside umoci", () => {
  const house = new AsyncDisposableStack();
  let place: string;
  let layout: string;

  beforeAll(async () => {
    place = await scratchDirectory(house, "extract");
    layout = await makeLayeredImages(place);
  });
  afterAll(() => house.disposeAsync());

  test.each(IMAGES)("the tree of image %s is umoci's: types, modes, links, content, times", async (name) => {
    const { source, reference } = await openArchive(layout, { name });
    try {
      const image = await imageFrom(source, reference, { platform: { os: "linux", architecture: "amd64" } });
      const ours = join(place, `ours-${name}`);
      const extraction = await unpackImage(image, ours, { keepSpecialBits: true });
      expect(extraction.warnings).toEqual([]);
      expect(image.view.layers.reduce((sum, { size }) => sum + size, 0)).toBeGreaterThan(LEAST_BYTES);
      await runCommand("umoci", ["unpack", "--image", `${layout}:${name}`, join(place, `theirs-${name}`)]);
      const [mine, theirs] = await Promise.all(
        [ours, join(place, `theirs-${name}`, "rootfs")].map((root) => treeFacts(root)),
      );
      if (mine === undefined || theirs === undefined) throw new Error("there are two trees");
      expect(mine.nodes).toEqual(theirs.nodes);
      expect(mine.linked).toEqual(theirs.linked);
      expect(differentTimes(mine, theirs)).toEqual([]);
      // That the judge has seen what it is to judge.
      expect(Object.keys(theirs.nodes).length).toBeGreaterThan(300);
      const acrossLayers = name === "committed" ? "usr/lib/f0 = usr/share/the-same" : "cross/su";
      expect(theirs.linked.some((names) => names.includes(acrossLayers))).toBe(true);
      expect((await stat(join(ours, "usr/bin/su"))).mode & 0o7777).toBe(0o4755);
      expect(theirs.nodes).not.toHaveProperty("removed");
    } finally {
      await source.close();
    }
  });
});
