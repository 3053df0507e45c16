/** Shows that uses at one node are told to the fleet, each with its latest time, also when they could not be written at first. */
import { expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { LateUses } from "../../src/fleet/knowledge/late-uses.ts";
import { digestOf } from "../../src/oci/digest.ts";

const [ONE, TWO] = [digestOf(Buffer.from("one")), digestOf(Buffer.from("two"))];

/** Uses whose writes the test ends. */
function lateUses() {
  const written: [string, number][][] = [];
  let writing = Promise.withResolvers<void>();
  const uses = new LateUses(async (used) => {
    written.push([...used]);
    await writing.promise;
  });
  return {
    ...{ uses, written },
    fail: () => {
      writing.reject(new GranaryError("fleet-unavailable", "It is away."));
      writing = Promise.withResolvers();
    },
    succeed: () => writing.resolve(),
  };
}

test("what is used while a write fails keeps its later time, and what was to be written is written again", async () => {
  const { uses, written, fail, succeed } = lateUses();
  uses.add(
    new Map([
      [ONE, 100],
      [TWO, 100],
    ]),
  );
  const flushing = expect(uses.flush()).rejects.toMatchObject({ code: "fleet-unavailable" });
  uses.add(new Map([[ONE, 200]]));
  fail();
  await flushing;
  succeed();
  await uses.flush();
  expect(written[1]).toEqual([
    [ONE, 200],
    [TWO, 100],
  ]);
  await uses.flush();
  expect(written).toHaveLength(2);
});

test("of two uses the later counts, in whatever order they come", async () => {
  const { uses, written, succeed } = lateUses();
  for (const usedAt of [200, 300, 100]) uses.add(new Map([[ONE, usedAt]]));
  succeed();
  await uses.flush();
  expect(written).toEqual([[[ONE, 300]]]);
});
