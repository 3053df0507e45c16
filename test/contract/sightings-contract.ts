/** Owns the contract of every SightingRows: what metadata/sighting-rows.ts promises, run once per backend. */
import { describe, expect, test } from "vitest";
import type { Knowledge } from "../../src/metadata/metadata.ts";
import type { Sighting, SightingRows } from "../../src/metadata/sighting-rows.ts";
import { type Digest, digestOf } from "../../src/oci/digest.ts";

const HERE = { upstream: "docker.io", repository: "library/alpine" };
const ELSEWHERE = { upstream: "ghcr.io", repository: "library/alpine" };

function digestAt(index: number): Digest {
  return digestOf(Buffer.from(`content ${index}`));
}

function sighting(index: number, changes: Partial<Sighting> = {}): Sighting {
  return {
    ...HERE,
    ...{ tag: "latest", digest: digestAt(index), mediaType: "a/b", size: 100 + index },
    ...{ firstSeenAt: 10 * index, lastSeenAt: 10 * index + 5, state: "held" },
    ...changes,
  };
}

export type SightingsWorld = {
  readonly sightings: SightingRows;
  readonly knowledge: Pick<Knowledge, "recordTag">;
};

/** `open` gives one in which nothing was seen. */
export function sightingsContract(backend: string, open: () => Promise<SightingsWorld>): void {
  describe(`${backend}: sightings`, () => {
    test("are what was recorded last under a repository, tag and digest", async () => {
      const { sightings } = await open();
      expect(await sightings.find(sighting(1))).toBeUndefined();
      await sightings.record(sighting(1));
      await sightings.record(sighting(1, { state: "approved", lastSeenAt: 99 }));
      await sightings.record(sighting(1, { tag: "" }));
      await sightings.record(sighting(1, ELSEWHERE));
      expect(await sightings.find(sighting(1))).toEqual(sighting(1, { state: "approved", lastSeenAt: 99 }));
      expect(await sightings.find(sighting(1, { tag: "" }))).toEqual(sighting(1, { tag: "" }));
      expect(await sightings.find(sighting(2))).toBeUndefined();
    });

    test("of a digest come first seen first, of a tag last seen first, of one repository only", async () => {
      const { sightings } = await open();
      for (const index of [2, 1, 3]) await sightings.record(sighting(index));
      await sightings.record(sighting(2, { tag: "3.20", firstSeenAt: 1 }));
      await sightings.record(sighting(2, ELSEWHERE));
      expect((await sightings.ofDigest(HERE, digestAt(2))).map(({ tag }) => tag)).toEqual(["3.20", "latest"]);
      expect((await sightings.ofTag(HERE, "latest")).map(({ size }) => size)).toEqual([103, 102, 101]);
    });

    test("that are held come last seen first, those over something that is stored with that", async () => {
      const { sightings, knowledge } = await open();
      for (const index of [1, 2, 3]) await sightings.record(sighting(index));
      await sightings.record(sighting(4, { state: "passed" }));
      await sightings.record(sighting(5, { tag: "new", lastSeenAt: 1 }));
      const facts = { mediaType: "a/b", size: 5, checkedAt: 1, acceptClass: "" };
      await knowledge.recordTag({ ...HERE, ...facts, tag: "latest", digest: digestAt(1) });
      const sizes = (found: readonly Sighting[]) => found.map(({ size }) => size);
      expect(sizes(await sightings.held(10))).toEqual([103, 102, 101, 105]);
      expect(sizes(await sightings.held(2))).toEqual([103, 102]);
      const over = await sightings.heldOver(10);
      expect(sizes(over.map(({ held }) => held))).toEqual([103, 102]);
      expect(over.map(({ served }) => served)).toEqual([digestAt(1), digestAt(1)]);
    });
  });
}
