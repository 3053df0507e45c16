/** How many connections a host gives: learned from refusals while others are served, and from nothing else. */
import { describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import type { WantedFor } from "../../../src/origin.ts";
import type { Purpose } from "../../../src/purpose.ts";
import { Connections } from "../../../src/upstream/network/connections.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

const refused = () => new GranaryError("upstream-unavailable", "refused", { isUnreachable: true });

/** A host that gives `most` connections at once. */
function host(clock: FakeClock, most: number) {
  const connections = new Connections(clock);
  const frees: (() => void)[] = [];
  const seen = { open: 0, refusals: 0 };
  const settings = { most };
  const ask = (
    signal = new AbortController().signal,
    isUrgent = false,
    wantedFor: WantedFor = { purpose: "waited" },
  ) =>
    connections.use(
      async () => {
        if (seen.open >= settings.most) {
          seen.refusals += 1;
          throw refused();
        }
        seen.open += 1;
        return "answer";
      },
      (_answer, free) =>
        frees.push(() => {
          seen.open -= 1;
          free();
        }),
      signal,
      isUrgent ? undefined : wantedFor,
    );
  return { connections, frees, seen, settings, ask };
}

describe("connections to one host", () => {
  it("are not limited as long as each is given", async () => {
    const { connections, ask } = host(new FakeClock(), 100);
    await Promise.all(Array.from({ length: 50 }, () => ask()));
    expect(connections.crowd).toBeUndefined();
  });

  it("wait for their turn once one was refused while others are served", async () => {
    const { connections, frees, seen, ask } = host(new FakeClock(), 2);
    await ask();
    const rest = [ask(), ask(), ask()];
    await settle();
    expect(connections.crowd).toEqual({ most: 2, queued: 2 });
    const before = seen.refusals;
    for (let served = 0; served < 4; served++) {
      frees.shift()?.();
      await settle();
    }
    await Promise.all(rest);
    expect(seen.refusals).toBe(before);
  });

  it("that are refused while nobody is served are a failure, not a limit", async () => {
    const { connections, ask } = host(new FakeClock(), 0);
    for (const each of await Promise.allSettled([ask(), ask(), ask()])) expect(each.status).toBe("rejected");
    expect(connections.crowd).toBeUndefined();
  });

  it("wait for their turn where all were asked for in one moment, and the refusals came before the first answer", async () => {
    const clock = new FakeClock();
    const connections = new Connections(clock);
    const answers: (() => void)[] = [];
    const frees: (() => void)[] = [];
    let open = 0;
    const attempt = async () => {
      if (open >= 3) throw refused();
      open += 1;
      await new Promise<void>((resolve) => answers.push(resolve));
      return "answer";
    };
    const whenOver = (_answer: string, free: () => void) =>
      frees.push(() => {
        open -= 1;
        free();
      });
    const { signal } = new AbortController();
    const all = Array.from({ length: 20 }, () => connections.use(attempt, whenOver, signal, undefined));
    await settle();
    answers.shift()?.();
    await settle();
    expect(connections.crowd).toEqual({ most: 3, queued: 17 });
    while (frees.length > 0 || answers.length > 0) {
      answers.shift()?.();
      frees.shift()?.();
      await settle();
    }
    expect(await Promise.all(all)).toHaveLength(20);
  });

  it("that are refused before any answer are a failure where nothing is answered beside them", async () => {
    const clock = new FakeClock();
    const connections = new Connections(clock);
    const { signal } = new AbortController();
    const silent = connections.use(
      () => new Promise<string>(() => undefined),
      () => undefined,
      signal,
      undefined,
    );
    silent.catch(() => undefined);
    const other = connections.use(
      () => Promise.reject(refused()),
      () => undefined,
      signal,
      undefined,
    );
    const outcome = other.then(
      () => "answered",
      () => "failed",
    );
    await clock.advance(2_000);
    expect(await outcome).toBe("failed");
    expect(connections.crowd).toBeUndefined();
  });

  it("serve small questions before bodies that wait", async () => {
    const { frees, ask } = host(new FakeClock(), 1);
    await ask();
    const order: string[] = [];
    void ask().then(() => order.push("body"));
    await settle();
    void ask(undefined, true).then(() => order.push("question"));
    await settle();
    frees.shift()?.();
    await settle();
    expect(order).toEqual(["question"]);
    frees.shift()?.();
    await settle();
    expect(order).toEqual(["question", "body"]);
  });

  it("serve the most urgent bodies first, as urgent as they are when a connection is free", async () => {
    const { frees, ask } = host(new FakeClock(), 1);
    await ask();
    const order: string[] = [];
    const becomes: { purpose: Purpose } = { purpose: "ahead" };
    const queue = (name: string, wantedFor: WantedFor) =>
      void ask(undefined, false, wantedFor).then(() => order.push(name));
    queue("warm", { purpose: "warm" });
    queue("ahead", { purpose: "ahead" });
    queue("joined", becomes);
    queue("prefetch", { purpose: "prefetch" });
    queue("waited", { purpose: "waited" });
    await settle();
    // Its reader got there meanwhile: it is older than the other that waits.
    becomes.purpose = "waited";
    for (let served = 0; served < 5; served++) {
      frees.shift()?.();
      await settle();
    }
    expect(order).toEqual(["joined", "waited", "ahead", "prefetch", "warm"]);
  });

  it("are tried one more after a while, so that a limit that is gone is noticed", async () => {
    const clock = new FakeClock();
    const { connections, frees, settings, ask } = host(clock, 1);
    await ask();
    const rest = [ask(), ask(), ask()];
    await settle();
    settings.most = 100;
    for (let pass = 0; pass < 4; pass++) {
      await clock.advance(5_000);
      frees.shift()?.();
      await settle();
    }
    await Promise.all(rest);
    expect(connections.crowd?.most ?? 100).toBeGreaterThan(1);
  });

  it("that wait can be given up, and take no turn then", async () => {
    const { connections, frees, ask } = host(new FakeClock(), 1);
    await ask();
    const abort = new AbortController();
    const given = ask(abort.signal);
    const patient = ask();
    await settle();
    abort.abort();
    await expect(given).rejects.toMatchObject({ code: "aborted" });
    frees.shift()?.();
    expect(await patient).toBe("answer");
    expect(connections.crowd?.queued).toBe(0);
  });
});
