/** Shows what the watch over the storage directory makes of what it finds: mended once, left alone where it is not ours, never thrown. */
import { expect, test } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { Ownership } from "../../../src/mirror/space/ours-alone.ts";
import { StorageGuard } from "../../../src/mirror/upkeep/storage-guard.ts";
import { Episodes } from "../../../src/observe/episodes.ts";
import { silentLog } from "../../../src/observe/log.ts";
import type { Trouble } from "../../../src/observe/troubles.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function guarded() {
  const state = {
    folders: "1 2 3",
    wasGone: false,
    failure: undefined as Error | undefined,
    mendings: 0,
    mendFails: false,
  };
  const troubles = new Episodes<Trouble>(silentLog, new FakeClock(), Number.POSITIVE_INFINITY);
  const ownership = new Ownership();
  const guard = new StorageGuard({
    ownership,
    makeFolders: async () => {
      if (state.failure !== undefined) throw state.failure;
      return state.folders;
    },
    metadata: { putBack: async () => state.wasGone },
    mended: async () => {
      if (state.mendFails) throw new GranaryError("store-damaged", "Failed while looking.");
      state.mendings += 1;
    },
    log: silentLog,
    troubles,
  });
  return { guard, ownership, state, troubles };
}

test("the folders of the start are no mending, other ones later are, once", async () => {
  const { guard, state } = guarded();
  await guard.look();
  await guard.look();
  expect(state.mendings).toBe(0);
  state.folders = "1 2 4";
  await guard.look();
  await guard.look();
  expect(state.mendings).toBe(1);
});

test("a database that was put back is a mending, and one that failed in the middle is done again", async () => {
  const { guard, state, troubles } = guarded();
  state.wasGone = true;
  state.mendFails = true;
  await guard.look();
  expect(troubles.current).toEqual(["The storage directory cannot be put right: Failed while looking."]);
  state.wasGone = false;
  state.mendFails = false;
  await guard.look();
  expect(state.mendings).toBe(1);
  expect(troubles.current).toEqual([]);
});

test.each([
  ["config-invalid", false],
  ["store-full", true],
  ["store-damaged", true],
] as const)("%s: is told, and leaves the directory ours: %s", async (code, isOurs) => {
  const { guard, ownership, state, troubles } = guarded();
  state.failure = new GranaryError(code, "It cannot be used.");
  await guard.look();
  expect(ownership.isOurs).toBe(isOurs);
  expect(troubles.current).toHaveLength(1);
  state.failure = undefined;
  await guard.look();
  expect(ownership.isOurs).toBe(true);
  expect(troubles.current).toEqual([]);
});
