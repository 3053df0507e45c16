/** Shows that the nodes of a fleet ask an upstream one small question between them (G10), and that none waits for ever. */
import { expect, test } from "vitest";
import { FleetTurns } from "../../src/fleet/turns.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { memoryFleet } from "../support/memory-fleet.ts";

async function world() {
  const clock = new FakeClock();
  const shared = memoryFleet({ clock });
  const known = { value: undefined as string | undefined, asked: 0 };
  const node = async (name: string) => {
    const fleet = await shared.node(name);
    const turns = new FleetTurns(fleet, clock);
    const one = (ask = async () => "from upstream", mostMs = 5_000) =>
      turns.one({
        key: "tag\ndocker.io/library/alpine:3",
        ask: async () => {
          known.asked += 1;
          known.value = await ask();
          return known.value;
        },
        look: async () => known.value,
        mostMs,
      });
    return { fleet, one };
  };
  return { clock, shared, known, node };
}

test("G10: ten nodes that want one tag ask its upstream once", async () => {
  const { clock, known, node } = await world();
  const nodes = await Promise.all(Array.from({ length: 10 }, (_, index) => node(`n${index}`)));
  const upstream = Promise.withResolvers<string>();
  const answers = nodes.map(({ one }) => one(() => upstream.promise));
  await clock.advance(1_000);
  upstream.resolve("sha256:1");
  await clock.advance(1_000);
  expect(new Set(await Promise.all(answers))).toEqual(new Set(["sha256:1"]));
  expect(known.asked).toBe(1);
});

test("a node whose question fails leaves it to the next one", async () => {
  const { clock, known, node } = await world();
  const [a, b] = [await node("a"), await node("b")];
  const failing = a.one(() => Promise.reject(new Error("429")));
  const answer = b.one();
  await expect(failing).rejects.toThrow("429");
  await clock.advance(1_000);
  expect(await answer).toBe("from upstream");
  expect(known.asked).toBe(2);
});

test("who has waited enough asks itself", async () => {
  const { clock, known, node } = await world();
  const [a, b] = [await node("a"), await node("b")];
  void a.one(() => new Promise<string>(() => undefined));
  await clock.advance(100);
  const answer = b.one(async () => "own", 2_000);
  await clock.advance(2_500);
  expect(await answer).toBe("own");
  expect(known.asked).toBe(2);
});

test("without the database each asks itself, at once", async () => {
  const { shared, known, node } = await world();
  const [a, b] = [await node("a"), await node("b")];
  shared.database.away = true;
  expect(await Promise.all([a.one(), b.one(async () => "mine")])).toContain("mine");
  expect(known.asked).toBe(2);
});
