/** Shows that a fleet of real processes, over a real PostgreSQL and a real object store, costs its upstream one transfer, whatever dies meanwhile. */
import { afterEach, expect, test } from "vitest";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";

const MIB = 2 ** 20;

describeWithPrograms(["weed"], "a fleet of three processes", () => {
  let world: FleetWorld;
  afterEach(() => world?.end());

  test("G3: ten clients at each of three nodes cost one transfer over a slow line", async () => {
    world = await FleetWorld.begin({ rate: 24 * MIB });
    const nodes = await Promise.all(["a", "b", "c"].map((name) => world.node(name)));
    const blob = world.blob(1, 96 * MIB);
    const reports = await Promise.all(
      nodes.flatMap((node) => Array.from({ length: 10 }, () => world.read(blob, [node]))),
    );
    expect(new Set(reports.map(({ bytes, returns }) => `${bytes} ${returns}`))).toEqual(
      new Set([`${96 * MIB} 0`]),
    );
    // A lane that stands in the way on a machine that is late may lose what is under way.
    expect(world.fake.bytesSentFor(blob.digest)).toBeLessThanOrEqual(1.05 * 96 * MIB);
    await expect.poll(() => world.sql("select size from blobs")).toEqual([{ size: `${96 * MIB}` }]);
    expect(await world.sql("select key from leases")).toEqual([]);
  });
});
