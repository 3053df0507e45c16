/** Events: what is told can be heard at once, and by whoever comes a little later. */
import { expect, test } from "vitest";
import { systemClock } from "../../src/observe/clock.ts";
import { Events } from "../../src/records/events.ts";

test("who listens hears each event as it happens, and who lost the stream catches up", () => {
  const events = new Events(systemClock);
  events.tell("tag-moved", "alpine:3 moved", { repository: "library/alpine", tag: undefined });
  const heard: string[] = [];
  const stop = events.subscribe(({ text }) => heard.push(text));
  events.tell("evicted", "two blobs were evicted", { blobs: 2 });
  stop();
  events.tell("upstream-up", "docker.io answers again");
  expect(heard).toEqual(["two blobs were evicted"]);
  const [first] = events.since(0);
  expect(first).toMatchObject({ kind: "tag-moved", facts: { repository: "library/alpine" } });
  expect(events.since(first?.id ?? 0).map(({ text }) => text)).toEqual([
    "two blobs were evicted",
    "docker.io answers again",
  ]);
});

test("a listener that fails stops neither the telling nor the others", () => {
  const events = new Events(systemClock);
  const heard: number[] = [];
  events.subscribe(() => {
    throw new Error("broken");
  });
  events.subscribe(({ id }) => heard.push(id));
  events.tell("upstream-down", "docker.io is away");
  expect(heard).toHaveLength(1);
});

test("what clients and registries invent gets into an event only in bounded parts, and only the last few hundred are in memory", () => {
  const events = new Events(systemClock);
  const facts = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`fact${n}`, "y".repeat(10_000)]));
  for (let count = 0; count < 3_000; count++) events.tell("pull-failed", "x".repeat(10_000), facts);
  const recent = events.since(0);
  expect(recent).toHaveLength(500);
  expect(JSON.stringify(recent.at(-1)).length).toBeLessThan(6_000);
});
