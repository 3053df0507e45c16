/** Shows that one node of a fleet begins what is done once for all, and that another one does when it goes. */
import { expect, test } from "vitest";
import { Leadership } from "../../../src/fleet/leases/leadership.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { memoryFleet } from "../../support/memory-fleet.ts";

test("one of three leads; when it is cut off it knows, and another one leads", async () => {
  const clock = new FakeClock();
  const shared = memoryFleet({ clock });
  const names = ["a", "b", "c"];
  const nodes = await Promise.all(names.map((name) => shared.node(name)));
  const all = nodes.map((fleet) => new Leadership(fleet));
  const leading = () => names.filter((_, index) => all[index]?.isMine);
  await clock.advance(1_100);
  expect(leading()).toHaveLength(1);
  const [first = ""] = leading();
  shared.cuts.add(first);
  await clock.advance(8_000);
  expect(leading()).toHaveLength(1);
  expect(leading()).not.toContain(first);
  const second = all[names.indexOf(leading()[0] ?? "")];
  await second?.close();
  await clock.advance(2_000);
  expect(leading()).toHaveLength(1);
  expect(second?.isMine).toBe(false);
});
