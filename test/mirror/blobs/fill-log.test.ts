/** Shows that the log tells what is being fetched, for which repository, how far it is, and how it ended. */
import { Writable } from "node:stream";
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { FillLog } from "../../../src/mirror/blobs/fill-log.ts";
import { createLog } from "../../../src/observe/log.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { MiB, startWorld } from "../../support/mirror-world.ts";

function collect() {
  const lines: Record<string, unknown>[] = [];
  const output = new Writable({
    write(chunk: Buffer, _, done) {
      lines.push(JSON.parse(chunk.toString()));
      done();
    },
  });
  return { lines, log: createLog({ level: "info", format: "json" }, output) };
}

const target = { upstream: "docker.io", repository: "library/alpine", digest: digestOf(Buffer.from("x")) };
const blob = `docker.io/library/alpine@${target.digest}`;

describe("a transfer of one blob", () => {
  it("is told of when it begins, every ten seconds, and when it is there", async () => {
    const { lines, log } = collect();
    const clock = new FakeClock();
    const told = new FillLog(target, { log, clock });
    const progress = { present: 0, size: 100 * MiB };
    told.begun(() => progress);
    expect(lines).toMatchObject([{ level: "info", blob, present: 0, size: 100 * MiB }]);
    await clock.advance(9_999);
    expect(lines).toHaveLength(1);
    progress.present = 20 * MiB;
    await clock.advance(1);
    expect(lines[1]).toMatchObject({
      blob,
      present: 20 * MiB,
      bytesPerSecond: 2 * MiB,
      msg: "fetching a blob for docker.io/library/alpine: 20 MiB of 100 MiB (20 %), 2 MiB per second",
    });
    await clock.advance(20_000);
    expect(lines).toHaveLength(4);
    progress.present = 100 * MiB;
    told.ended(undefined);
    expect(lines[4]).toMatchObject({
      level: "info",
      blob,
      ms: 30_000,
      msg: "fetched a blob of 100 MiB for docker.io/library/alpine in 30s",
    });
    await clock.advance(60_000);
    expect(lines).toHaveLength(5);
    expect(clock.timers).toBe(0);
  });

  it("is told by its tag where that is known, and by what it is for where nobody waits for it", () => {
    const { lines, log } = collect();
    const serves = { repository: "library/alpine", tag: "3.22" };
    const told = new FillLog(target, { log, clock: new FakeClock() }, { purpose: "warm", serves });
    told.begun(() => ({ present: 0, size: 5 * MiB }));
    expect(lines).toMatchObject([
      {
        blob: `docker.io/library/alpine:3.22@${target.digest}`,
        purpose: "warm",
        msg: "fetching a blob of 5 MiB for docker.io/library/alpine:3.22",
      },
    ]);
    told.ended(undefined);
  });

  it("that goes on from a part, or whose size nobody knows, says so", () => {
    const { lines, log } = collect();
    const clock = new FakeClock();
    new FillLog(target, { log, clock }).begun(() => ({ present: 30 * MiB, size: 100 * MiB }));
    new FillLog(target, { log, clock }).begun(() => ({ present: 0, size: undefined }));
    expect(lines.map(({ msg }) => msg)).toEqual([
      "fetching a blob of 100 MiB for docker.io/library/alpine, 30 MiB of it are here already",
      "fetching a blob of unknown size for docker.io/library/alpine",
    ]);
  });

  it("that nobody wants any more is no trouble; one that fails is, with the reason", () => {
    const { lines, log } = collect();
    const clock = new FakeClock();
    const end = (failure: GranaryError) => {
      const told = new FillLog(target, { log, clock });
      told.begun(() => ({ present: 30 * MiB, size: 100 * MiB }));
      lines.length = 0;
      told.ended(failure);
      return lines[0];
    };
    expect(end(new GranaryError("closed", "Nobody reads it any more."))).toMatchObject({
      level: "info",
      msg: "stopped fetching a blob for docker.io/library/alpine: 30 MiB of 100 MiB (30 %) are kept",
    });
    expect(end(new GranaryError("upstream-unavailable", "The registry hung up."))).toMatchObject({
      level: "warn",
      blob,
      reason: "The registry hung up.",
    });
  });

  it("that was on disk all the time is not told of", () => {
    const { lines, log } = collect();
    new FillLog(target, { log, clock: new FakeClock() }).ended(undefined);
    expect(lines).toEqual([]);
  });
});

describe("a mirror", () => {
  it("tells of one transfer for all who share it, and of none for a hit", async () => {
    const { lines, log } = collect();
    const world = await startWorld({ log });
    const digest = world.fake.addGeneratedBlob({ seed: 5, size: 3 * MiB });
    await Promise.all(Array.from({ length: 5 }, () => world.read("a/b", digest)));
    await world.fills(0);
    await world.read("a/b", digest);
    const told = lines.filter((line) => line.blob === `fake.test/a/b@${digest}`);
    expect(told.map(({ msg }) => msg)).toEqual([
      "fetching a blob of 3 MiB for fake.test/a/b",
      expect.stringMatching(/^fetched a blob of 3 MiB for fake\.test\/a\/b in /),
    ]);
  });

  it("says why a transfer failed", async () => {
    const { lines, log } = collect();
    const world = await startWorld({ log });
    const digest = world.fake.addGeneratedBlob({ seed: 5, size: MiB });
    world.fake.fail(/blobs/, { kind: "flip", offset: 70_000 }, { method: "GET", times: 100 });
    await expect(world.read("a/b", digest)).rejects.toMatchObject({ code: "digest-mismatch" });
    const told = lines.filter((line) => line.blob === `fake.test/a/b@${digest}`);
    expect(told.at(-1)).toMatchObject({ level: "warn", reason: expect.stringContaining("hash to") });
  });
});
