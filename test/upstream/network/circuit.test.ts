/** Owns the tests of the circuit on its own, with a clock that a test sets and a probe that a test answers. */
import { beforeEach, describe, expect, it } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { Circuit, type ProbeResult } from "../../../src/upstream/network/circuit.ts";
import type { QuestionKey } from "../../../src/upstream/network/rate-limits.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const dead = new GranaryError("upstream-unavailable", "GET https://docker.io/v2/secret failed.", {
  reason: "docker.io: the connection was refused",
});
const limited = (retryAfterMs?: number) =>
  new GranaryError("rate-limited", "It answered 429.", {
    upstreamStatus: 429,
    reason: "docker.io answered 429",
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });

const about = (kind: QuestionKey["kind"], repository = "library/alpine"): QuestionKey => ({
  kind,
  repository,
});
const head = about("manifest HEAD");

let clock: FakeClock;
let changes: boolean[];
let circuit: Circuit;
let base: ProbeResult;
let probes: number;

beforeEach(() => {
  clock = new FakeClock();
  changes = [];
  probes = 0;
  base = "unanswered";
  circuit = new Circuit({
    name: "docker.io",
    clock,
    probe: async () => {
      probes += 1;
      return base;
    },
    onChange: (isOpen) => changes.push(isOpen),
  });
});

/** A question that fails, and the probe after it. */
async function fail(question = head): Promise<void> {
  circuit.enter(question).failed(dead);
  await clock.advance(0);
}

describe("an upstream that is away", () => {
  it("is known after one failure, when its base does not answer either", async () => {
    await fail();
    expect(circuit.state).toMatchObject({ circuit: "open", reason: "docker.io: the connection was refused" });
    expect(changes).toEqual([true]);
    expect(() => circuit.enter(about("blob", "other/repository"))).toThrow(
      expect.objectContaining({
        code: "upstream-unavailable",
        message: expect.not.stringContaining("secret"),
        facts: expect.objectContaining({ unsentForMs: 0, target: "docker.io" }),
      }),
    );
  });

  it("is not away because one repository fails, however often it is asked for", async () => {
    base = "answered";
    for (let time = 0; time < 50; time++) {
      await fail(about("manifest", "broken/image"));
      await clock.advance(1_000);
    }
    expect(circuit.state.circuit).toBe("closed");
    expect(() => circuit.enter(about("manifest", "healthy/image"))).not.toThrow();
    expect(changes).toEqual([]);
  });

  it("is not away when a question was answered while the probe was under way", async () => {
    const { promise, resolve } = Promise.withResolvers<ProbeResult>();
    circuit = new Circuit({
      name: "x",
      clock,
      probe: () => promise,
      onChange: (isOpen) => changes.push(isOpen),
    });
    circuit.enter(head).failed(dead);
    circuit.enter(about("blob")).succeeded();
    resolve("unanswered");
    await clock.advance(0);
    expect(circuit.state.circuit).toBe("closed");
  });

  it("is noticed to be back within a second, without any client's question", async () => {
    await fail();
    await clock.advance(600_000);
    base = "answered";
    await clock.advance(1_000);
    expect(circuit.state.circuit).toBe("closed");
    expect(changes).toEqual([true, false]);
    const before = probes;
    await clock.advance(60_000);
    expect(probes).toBe(before);
    expect(clock.timers).toBe(0);
  });

  it("is noticed to be back also when an earlier probe still hangs", async () => {
    let isHanging = true;
    const hangs = new Promise<ProbeResult>(() => {});
    const probe = async () => {
      probes += 1;
      return probes === 1 ? "unanswered" : isHanging ? await hangs : "answered";
    };
    circuit = new Circuit({ name: "x", clock, probe, onChange: () => {} });
    await fail();
    await clock.advance(1_000);
    isHanging = false;
    await clock.advance(1_000);
    expect(circuit.state.circuit).toBe("closed");
    circuit.close();
  });

  it("counts as back at any answer, also to a question from before", async () => {
    const older = circuit.enter(head);
    await fail();
    older.succeeded();
    expect(circuit.state.circuit).toBe("closed");
  });

  it("lets a real question through now and then, for a registry whose base always speaks of trouble", async () => {
    base = "troubled";
    await fail();
    expect(circuit.state.circuit).not.toBe("closed");
    await clock.advance(2_000);
    circuit.enter(head).succeeded();
    expect(circuit.state.circuit).toBe("closed");
    // From then on its base tells nothing.
    await fail();
    expect(circuit.state.circuit).toBe("closed");
  });

  it("believes a base that speaks of trouble again once that has spoken otherwise, or if it never spoke of trouble", async () => {
    base = "unanswered";
    await fail();
    await clock.advance(2_000);
    // A question finds out before a probe does that the outage is over.
    circuit.enter(head).succeeded();
    base = "troubled";
    await fail();
    expect(circuit.state.circuit).not.toBe("closed");
    await clock.advance(2_000);
    circuit.enter(head).succeeded();
    base = "answered";
    await fail();
    base = "troubled";
    await fail();
    expect(circuit.state.circuit).not.toBe("closed");
  });

  it("has no timer left when it is closed", async () => {
    await fail();
    circuit.close();
    await clock.advance(10_000);
    expect(clock.timers).toBe(0);
  });
});

describe("a limit", () => {
  it("holds for the question that met it, for as long as Retry-After says", async () => {
    circuit.enter(head).failed(limited(7000));
    expect(() => circuit.enter(head)).toThrow(
      expect.objectContaining({
        code: "rate-limited",
        facts: expect.objectContaining({ retryAfterMs: 7000, unsentForMs: 0, target: "docker.io" }),
      }),
    );
    await clock.advance(7000);
    circuit.enter(head).succeeded();
    expect(() => circuit.enter(head)).not.toThrow();
    expect(probes).toBe(0);
  });

  it("lasts a minute, then two, when a 429 says nothing", async () => {
    circuit.enter(head).failed(limited());
    await clock.advance(59_000);
    expect(() => circuit.enter(head)).toThrow("docker.io is not asked");
    await clock.advance(1_000);
    circuit.enter(head).failed(limited());
    await clock.advance(119_000);
    expect(() => circuit.enter(head)).toThrow("docker.io is not asked");
    await clock.advance(1_000);
    expect(() => circuit.enter(head)).not.toThrow();
  });

  it("on one kind of question says nothing of another", () => {
    circuit.enter(about("tags")).failed(limited(7000));
    circuit.enter(about("tags", "library/other")).failed(limited(7000));
    for (const kind of ["manifest HEAD", "manifest", "blob", "blob HEAD", "referrers"] as const)
      expect(() => circuit.enter(about(kind))).not.toThrow();
  });

  it("on one repository says nothing of another, until a second one meets it", () => {
    circuit.enter(about("manifest", "a/a")).failed(limited(7000));
    expect(() => circuit.enter(about("manifest", "b/b"))).not.toThrow();
    expect(circuit.state.circuit).toBe("closed");
    circuit.enter(about("manifest", "b/b")).failed(limited(7000));
    expect(() => circuit.enter(about("manifest", "c/c"))).toThrow("docker.io is not asked");
    expect(circuit.state).toMatchObject({ circuit: "open", reason: "docker.io answered 429" });
    expect(changes).toEqual([true]);
  });

  it("is tried by one question when it is over, and by the next where that one was given up", async () => {
    circuit.enter(head).failed(limited(7000));
    await clock.advance(7000);
    const first = circuit.enter(head);
    expect(() => circuit.enter(head)).toThrow("docker.io is not asked");
    first.abandoned();
    expect(() => circuit.enter(head)).not.toThrow();
  });
});
