/** Shows that a fleet of real processes, over a real PostgreSQL and a real object store, costs its upstream one transfer, whatever dies meanwhile. */
import { afterEach, expect, test } from "vitest";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { FleetWorld } from "../support/services/fleet-world.ts";

const MIB = 2 ** 20;

describeWithPrograms(["weed"], "a fleet of three processes", () => {
  let world: FleetWorld;
  afterEach(() => world?.end());

  test("G3: ten clients at each of three nodes cost one transfer over a slow line", async () => {
    world = await FleetWorld.begin({ rate: 12 * MIB });
    const nodes = await Promise.all(["a", "b", "c"].map((name) => world.node(name)));
    const blob = world.blob(1, 48 * MIB);
    const reports = await Promise.all(
      nodes.flatMap((node) => Array.from({ length: 10 }, () => world.read(blob, [node]))),
    );
    expect(new Set(reports.map(({ bytes, returns }) => `${bytes} ${returns}`))).toEqual(
      new Set([`${48 * MIB} 0`]),
    );
    expect(world.crossed).toBeLessThanOrEqual(1.02 * 48 * MIB);
    await expect.poll(() => world.sql("select size from blobs")).toEqual([{ size: `${48 * MIB}` }]);
    expect(await world.sql("select key from leases where key like 'blob%'")).toEqual([]);
  });
});
