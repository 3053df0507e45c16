/** Limits of bandwidth: what passes in a second, who goes first, and what a change does to those who wait. In simulated time. */
import { describe, expect, test } from "vitest";
import type { OpenedRange, Origin, WantedFor } from "../../../src/origin.ts";
import type { Purpose } from "../../../src/purpose.ts";
import { Bandwidth } from "../../../src/upstream/network/bandwidth.ts";
import { limitsAt } from "../../../src/upstream/network/bandwidth-hours.ts";
import { PaidBody } from "../../../src/upstream/network/paid-body.ts";
import { SimulatedLine } from "../../simulation/simulated-line.ts";
import { World } from "../../simulation/world.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const KIB = 1024;
const never = new AbortController().signal;
const limits = (total?: number, upstreams: Record<string, number> = {}) => ({
  total,
  upstreams: new Map(Object.entries(upstreams)),
});

function limited(...of: Parameters<typeof limits>) {
  const clock = new FakeClock();
  const bandwidth = new Bandwidth(clock);
  bandwidth.renew(limits(...of));
  return { clock, bandwidth };
}

/** Makes the origins of `world` pay, as those of registries do. */
function limit(world: World, bandwidth: Bandwidth): void {
  for (const { origin } of world.blobs) {
    const open = origin.open.bind(origin);
    Object.defineProperty(origin, "allowance", { get: () => bandwidth.allowance("upstream") });
    const paying: Pick<Origin, "open" | "holds"> = {
      holds: (wantedFor) => bandwidth.holds(wantedFor),
      async open(range, signal, wantedFor: WantedFor = { purpose: "waited" }): Promise<OpenedRange> {
        const paid = new PaidBody(bandwidth, "upstream", wantedFor, signal);
        const bytes = await paid.begin(range.end - range.start, world.policy.starveMs);
        const opened = await open({ start: range.start, end: range.start + bytes }, signal);
        async function* body() {
          try {
            for await (const chunk of opened.body) {
              await paid.came(chunk.length);
              yield chunk;
            }
          } finally {
            paid.end();
          }
        }
        return { ...opened, body: body() };
      },
    };
    Object.assign(origin, paying);
  }
}

describe("a limit", () => {
  test("lets through what it says, and no more", async () => {
    const { clock, bandwidth } = limited(1_000_000);
    let passed = 0;
    for (let index = 0; index < 100; index++)
      void Promise.resolve(bandwidth.pay("a.test", 100_000, { purpose: "waited" }, never)).then(() => {
        passed += 100_000;
      });
    await clock.advance(5_000);
    expect(passed).toBeGreaterThanOrEqual(4_900_000);
    expect(passed).toBeLessThanOrEqual(5_300_000);
  });

  test("of one upstream holds nobody else, and that of all holds everybody", async () => {
    const { bandwidth } = limited(undefined, { "a.test": 1_000 });
    expect(bandwidth.pay("b.test", 1e9, { purpose: "waited" }, never)).toBeUndefined();
    expect(bandwidth.allowance("b.test")).toBeUndefined();
    expect(bandwidth.pay("a.test", 1_000, { purpose: "waited" }, never)).toBeUndefined();
    const ended = new AbortController();
    const waiting = bandwidth.pay("a.test", 1, { purpose: "waited" }, ended.signal);
    expect(waiting).toBeInstanceOf(Promise);
    ended.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    bandwidth.renew(limits(5_000));
    expect(bandwidth.allowance("b.test")?.bytesPerMs).toBe(5);
  });

  test("lets the most urgent go first, and of equals the one that waited longest", async () => {
    const { clock, bandwidth } = limited(1_000);
    void bandwidth.pay("a.test", 1_000, { purpose: "warm" }, never);
    const order: string[] = [];
    const queue = (name: string, purpose: Purpose) =>
      void bandwidth.pay("a.test", 100, { purpose }, never)?.then(() => order.push(name));
    queue("warm", "warm");
    queue("ahead", "ahead");
    queue("first", "waited");
    queue("prefetch", "prefetch");
    queue("second", "waited");
    await clock.advance(5_000);
    expect(order).toEqual(["first", "second", "ahead", "prefetch", "warm"]);
    expect(clock.timers).toBe(0);
  });

  test("that is changed or lifted changes at once how long others wait", async () => {
    const { clock, bandwidth } = limited(10);
    void bandwidth.pay("a.test", 10_000, { purpose: "waited" }, never);
    let isThrough = false;
    void bandwidth.pay("a.test", 10, { purpose: "waited" }, never)?.then(() => {
      isThrough = true;
    });
    await clock.advance(5_000);
    expect(isThrough).toBe(false);
    bandwidth.renew(limits());
    await clock.advance(0);
    expect(isThrough).toBe(true);
  });

  test("gives back what was paid for and did not come", () => {
    const { bandwidth } = limited(1_000);
    void bandwidth.pay("a.test", 100_000, { purpose: "waited" }, never);
    bandwidth.giveBack("a.test", 100_000);
    expect(bandwidth.pay("a.test", 1, { purpose: "waited" }, never)).toBeUndefined();
  });
});

describe("F17 under a limit", () => {
  test.each([
    ["1 kB/s and 50 readers at 50 places of one blob", 1_000, 50],
    ["20 kB/s and 200 readers", 20_000, 200],
    ["1 MB/s and 8 readers", 1_000_000, 8],
  ])("%s: every one gets a byte within starve, and no lane counts as stalled", async (_, rate, count) => {
    const size = 8 * KIB * KIB;
    const world = new World(1, size);
    const bandwidth = new Bandwidth(world.clock);
    bandwidth.renew(limits(rate));
    world.origin.line = new SimulatedLine(world.clock, { rate: 4_000, delayMs: 20 });
    limit(world, bandwidth);
    const part = Math.floor(size / count);
    const readers = Array.from({ length: count }, (_, index) =>
      world.join({ start: index * part, end: (index + 1) * part }),
    );
    await world.clock.advance(30_000);
    const longest = Math.max(...readers.map((reader) => reader.longestWaitMs));
    expect(longest).toBeLessThanOrEqual(world.policy.starveMs);
    expect(readers.every(({ at, start }) => at > start)).toBe(true);
    // As much as the limit gives, and hardly more.
    expect(world.line.carried + world.origin.line.carried).toBeLessThanOrEqual(rate * 31.5);
    expect(world.origin.line.carried).toBeGreaterThanOrEqual(Math.min(size, rate * 30) * 0.85);
    for (const reader of world.reading) reader.leave();
    await world.checkNothingIsLeft();
  });

  test("many blobs share one limit: 30 clients, each with its own", async () => {
    const world = new World(1, 2 * KIB * KIB);
    for (let more = 1; more < 30; more++) world.add(2 * KIB * KIB);
    const bandwidth = new Bandwidth(world.clock);
    bandwidth.renew(limits(50_000));
    world.line.settings.rate = 4_000;
    limit(world, bandwidth);
    const readers = world.blobs.map((blob) => world.join(undefined, {}, blob));
    await world.clock.advance(40_000);
    expect(Math.max(...readers.map((reader) => reader.longestWaitMs))).toBeLessThanOrEqual(5_000);
    for (const reader of world.reading) reader.leave();
    await world.checkNothingIsLeft();
  });
});

describe("hours", () => {
  const settings = {
    total: 20,
    upstreams: { "a.test": 5 },
    hours: [{ from: 22 * 60, to: 6 * 60, total: Number.POSITIVE_INFINITY }],
  };
  test.each([
    ["21:59", 20],
    ["22:00", Number.POSITIVE_INFINITY],
    ["23:30", Number.POSITIVE_INFINITY],
    ["05:59", Number.POSITIVE_INFINITY],
    ["06:00", 20],
  ])("at %s by the clock on the wall", (time, total) => {
    const [hours = 0, minutes = 0] = time.split(":").map(Number);
    const now = limitsAt(settings, new Date(2026, 2, 29, hours, minutes));
    expect(now.total).toBe(total);
    expect(now.upstreams.get("a.test")).toBe(5);
  });
});
