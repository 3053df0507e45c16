import { describe, expect, it } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { onAbort, throwIfAborted, untilAborted } from "../../src/waiting/abort.ts";
import { untilDeadline, within } from "../../src/waiting/deadline.ts";
import { Semaphore } from "../../src/waiting/semaphore.ts";
import { SingleFlight } from "../../src/waiting/single-flight.ts";
import { sleep } from "../../src/waiting/sleep.ts";
import { FakeClock } from "../support/fake-clock.ts";

const never = new Promise<never>(() => undefined);

describe("a wait that a signal ends", () => {
  it("gives what the work gives, and leaves nothing on the signal", async () => {
    const controller = new AbortController();
    await expect(untilAborted(Promise.resolve(7), controller.signal)).resolves.toBe(7);
    await expect(untilAborted(Promise.resolve(7), undefined)).resolves.toBe(7);
    controller.abort();
  });

  it("rejects with aborted and the signal's reason as its cause, at once, also when it was aborted before", async () => {
    const reason = new Error("enough");
    const controller = new AbortController();
    const waiting = untilAborted(never, controller.signal, "reading x");
    controller.abort(reason);
    const expected = {
      code: "aborted",
      cause: reason,
      message: "Stopped reading x because it was asked to.",
    };
    await expect(waiting).rejects.toMatchObject(expected);
    await expect(untilAborted(never, controller.signal, "reading x")).rejects.toMatchObject(expected);
    expect(() => throwIfAborted(controller.signal, "reading x")).toThrow(GranaryError);
    expect(() => throwIfAborted(new AbortController().signal)).not.toThrow();
  });

  it("work that fails after the abort is no unhandled rejection", async () => {
    const controller = new AbortController();
    const work = Promise.withResolvers<never>();
    const waiting = untilAborted(work.promise, controller.signal);
    controller.abort();
    await expect(waiting).rejects.toMatchObject({ code: "aborted" });
    work.reject(new Error("later"));
    await new Promise(setImmediate);
  });

  it("a listener runs once, now where the signal was aborted before, and not after it was taken back", () => {
    const controller = new AbortController();
    let runs = 0;
    const takeBack = onAbort(controller.signal, () => runs++);
    takeBack();
    controller.abort();
    expect(runs).toBe(0);
    onAbort(controller.signal, () => runs++);
    onAbort(undefined, () => runs++);
    expect(runs).toBe(1);
  });
});

describe("a wait that time ends", () => {
  it("gives undefined when the work takes longer, and the timer is gone in both cases", async () => {
    const clock = new FakeClock();
    const late = within(never, 100, clock);
    await clock.advance(100);
    await expect(late).resolves.toBeUndefined();
    await expect(untilDeadline(Promise.resolve(1), clock.elapsed() - 5, clock)).resolves.toBe(1);
    await expect(within(Promise.reject(new Error("no")), 100, clock)).rejects.toThrow("no");
    expect(clock.timers).toBe(0);
  });

  it("a pause lasts as long as it was told, or until the signal ends it", async () => {
    const clock = new FakeClock();
    const controller = new AbortController();
    const done: string[] = [];
    void sleep(50, clock).then(() => done.push("whole"));
    void sleep(1_000, clock, controller.signal).then(() => done.push("cut"));
    await clock.advance(50);
    expect(done).toEqual(["whole"]);
    controller.abort();
    await clock.advance(0);
    expect(done).toEqual(["whole", "cut"]);
    await sleep(1_000, clock, controller.signal);
    expect(clock.timers).toBe(0);
  });
});

describe("shared work", () => {
  it("equal keys share one piece of work while it runs, and its failure; the next begins anew", async () => {
    const clock = new FakeClock();
    const flights = new SingleFlight<number>(clock);
    let runs = 0;
    const work = async () => {
      runs++;
      if (runs === 1) throw new Error("first");
      return runs;
    };
    const results = await Promise.allSettled([flights.run("a", work), flights.run("a", work)]);
    expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    await expect(flights.run("a", work)).resolves.toBe(2);
  });

  it("no more than so many of a kind run at once, in the order in which they came, whatever fails", async () => {
    const semaphore = new Semaphore(2);
    let running = 0;
    let most = 0;
    const order: number[] = [];
    const work = (n: number) => async () => {
      order.push(n);
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
      if (n === 0) throw new Error("one fails");
    };
    await Promise.allSettled([0, 1, 2, 3, 4].map((n) => semaphore.run("kind", work(n))));
    expect({ most, order }).toEqual({ most: 2, order: [0, 1, 2, 3, 4] });
  });
});
