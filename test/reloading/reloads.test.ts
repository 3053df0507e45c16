/** Shows the reload of settings by itself: what is told, what waits for a restart, and that it is all or nothing. */
import { expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { type PreparedPart, type ReloadPart, renewing } from "../../src/reloading/reload-part.ts";
import { Reloads } from "../../src/reloading/reloads.ts";

type Numbers = Readonly<Record<string, number>>;

function reloadsOf(started: Numbers, parts: readonly ReloadPart<Numbers>[]) {
  const file = { now: started, reads: 0 };
  const read = async () => {
    file.reads++;
    return { settings: file.now, problems: [] };
  };
  const keysOf = (numbers: Numbers) => new Map(Object.entries(numbers));
  return { file, reloads: new Reloads({ started, read, parts, keysOf }) };
}

const invalid = new GranaryError("config-invalid", "the port is taken");

test("what has changed is given to the part that takes it, and to no other", async () => {
  const seen: string[] = [];
  const part = (name: string) => renewing<Numbers>([name], (next) => void seen.push(`${name} ${next[name]}`));
  const { file, reloads } = reloadsOf({ a: 1, "b.x": 1 }, [part("a"), part("b")]);
  file.now = { a: 1, "b.x": 2 };
  expect(await reloads.run()).toMatchObject({
    applied: [{ key: "b.x", change: "changed" }],
    needRestart: [],
  });
  expect(seen).toEqual(["b undefined"]);
  expect(await reloads.run()).toMatchObject({ applied: [] });
  expect(seen).toHaveLength(1);
});

test("what no part takes is named as needing a restart, each time until it is as before", async () => {
  const { file, reloads } = reloadsOf({ directory: 1, drain: 1 }, [renewing(["drain"], () => undefined)]);
  file.now = { directory: 2, drain: 2 };
  const needRestart = [{ key: "directory", change: "changed" }];
  expect(await reloads.run()).toMatchObject({ applied: [{ key: "drain" }], needRestart });
  expect(await reloads.run()).toMatchObject({ applied: [], needRestart });
  file.now = { directory: 1, drain: 2 };
  expect(await reloads.run()).toMatchObject({ applied: [], needRestart: [] });
});

test("what a part cannot take of these settings is not told as in use", async () => {
  const seen: unknown[] = [];
  const part = {
    ...renewing<Numbers>(["a"], (next) => void seen.push(next.a)),
    canTake: ({ a }: Numbers) => a !== 0,
  };
  const { file, reloads } = reloadsOf({ a: 1 }, [part]);
  file.now = { a: 0 };
  expect(await reloads.run()).toMatchObject({ applied: [], needRestart: [{ key: "a" }] });
  expect(seen).toEqual([]);
  file.now = { a: 2 };
  expect(await reloads.run()).toMatchObject({ applied: [{ key: "a" }], needRestart: [] });
  expect(seen).toEqual([2]);
});

test("what is below an added or removed key is not named beside it", async () => {
  const { file, reloads } = reloadsOf({ "u.a": 1, "u.a.lanes": 6 }, [renewing(["u"], () => undefined)]);
  file.now = { "u.b": 1, "u.b.lanes": 6 };
  expect((await reloads.run()).applied).toEqual([
    { key: "u.a", change: "removed" },
    { key: "u.b", change: "added" },
  ]);
});

test("a part that cannot have what it needs stops all of them, and what was prepared is let go of", async () => {
  const seen: string[] = [];
  const part = (prepare: () => PreparedPart): ReloadPart<Numbers> => ({
    takes: ["a"],
    prepare,
  });
  const good = part(() => ({
    apply: () => void seen.push("applied"),
    abandon: () => void seen.push("let go"),
  }));
  const bad = part(() => {
    throw invalid;
  });
  const { file, reloads } = reloadsOf({ a: 1 }, [good, bad]);
  file.now = { a: 2 };
  await expect(reloads.run()).rejects.toThrow("the port is taken");
  expect(seen).toEqual(["let go"]);
  await expect(reloads.run(), "it is still something new").rejects.toThrow("the port is taken");
});

test("a trial says the same and changes nothing", async () => {
  const seen: number[] = [];
  const { file, reloads } = reloadsOf({ a: 1 }, [renewing(["a"], ({ a = 0 }) => void seen.push(a))]);
  file.now = { a: 2 };
  const applied = [{ key: "a", change: "changed" }];
  expect(await reloads.run(true)).toMatchObject({ applied });
  expect(seen).toEqual([]);
  expect(await reloads.run()).toMatchObject({ applied });
  expect(seen).toEqual([2]);
});

test("one at a time; all who ask while one runs share the one after it, which sees the newest settings", async () => {
  let running = 0;
  let most = 0;
  let open: () => void = () => undefined;
  const slow: ReloadPart<Numbers> = {
    takes: ["a"],
    prepare: async () => {
      most = Math.max(most, ++running);
      await new Promise<void>((resolve) => {
        open = resolve;
      });
      running--;
      return { apply: () => undefined };
    },
  };
  const { file, reloads } = reloadsOf({ a: 1 }, [slow]);
  file.now = { a: 2 };
  const first = reloads.run();
  await expect.poll(() => running).toBe(1);
  file.now = { a: 3 };
  const others = Array.from({ length: 50 }, () => reloads.run());
  open();
  await first;
  await expect.poll(() => running).toBe(1);
  open();
  await Promise.all(others);
  expect([file.reads, most]).toEqual([2, 1]);
});

test("a failure against the promise of a part is told, and the other parts go on", async () => {
  const seen: string[] = [];
  const broken = renewing<Numbers>(["a"], () => {
    throw new Error("no such certificate");
  });
  const { file, reloads } = reloadsOf({ a: 1 }, [broken, renewing(["a"], () => void seen.push("other"))]);
  file.now = { a: 2 };
  expect(await reloads.run()).toMatchObject({ problems: ["no such certificate"] });
  expect(seen).toEqual(["other"]);
});
