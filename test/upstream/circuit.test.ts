/** Owns the tests of the circuit on its own, with a clock that a test sets. */
import { beforeEach, describe, expect, it } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { Circuit } from "../../src/upstream/circuit.ts";
import { FakeClock } from "../support/fake-clock.ts";

const dead = new GranaryError("upstream-unavailable", "The connection was refused.", {
  reason: "the connection was refused",
});
const limited = (retryAfterMs?: number) =>
  new GranaryError("rate-limited", "GET /v2/alice/secret answered 429.", {
    upstreamStatus: 429,
    reason: "it answered 429",
    ...(retryAfterMs !== undefined && { retryAfterMs }),
  });

let clock: FakeClock;
let changes: boolean[];
let circuit: Circuit;

beforeEach(() => {
  clock = new FakeClock();
  changes = [];
  circuit = new Circuit({ name: "docker.io", clock, onChange: (isOpen) => changes.push(isOpen) });
});

function die(times: number): void {
  for (let time = 0; time < times; time++) circuit.enter(false).failed(dead);
}

describe("a circuit", () => {
  it("opens at the third failure in a row, and not when an answer came between", () => {
    die(2);
    circuit.enter(false).succeeded();
    die(2);
    expect(circuit.state.circuit).toBe("closed");
    die(1);
    expect(circuit.state).toMatchObject({
      circuit: "open",
      retryAt: clock.now() + 2000,
      reason: "the connection was refused",
    });
    expect(changes).toEqual([true]);
  });

  it("answers at once while open, and says for how long", () => {
    die(3);
    expect(() => circuit.enter(false)).toThrow(
      expect.objectContaining({
        code: "upstream-unavailable",
        facts: { retryAfterMs: 2000, target: "docker.io" },
      }),
    );
  });

  it("lets one request through after the window, and all of them once that is answered", async () => {
    die(3);
    await clock.advance(2000);
    const probe = circuit.enter(false);
    expect(circuit.state.circuit).toBe("probing");
    expect(() => circuit.enter(false)).toThrow("docker.io is not asked");
    probe.succeeded();
    expect(circuit.state.circuit).toBe("closed");
    expect(changes).toEqual([true, false]);
  });

  it("doubles the window when the probe fails, up to a minute", async () => {
    die(3);
    for (const windowMs of [4000, 8000, 16_000, 32_000, 60_000, 60_000]) {
      await clock.advance((circuit.state.retryAt ?? 0) - clock.now());
      circuit.enter(false).failed(dead);
      expect((circuit.state.retryAt ?? 0) - clock.now()).toBe(windowMs);
    }
  });

  it("gives the probe to the next one when it is abandoned", async () => {
    die(3);
    await clock.advance(2000);
    circuit.enter(false).abandoned();
    expect(() => circuit.enter(false)).not.toThrow();
  });

  it("opens at the first 429 for as long as Retry-After says (H68)", async () => {
    circuit.enter(false).failed(limited(7000));
    expect(() => circuit.enter(false)).toThrow(
      expect.objectContaining({ code: "rate-limited", facts: { retryAfterMs: 7000, target: "docker.io" } }),
    );
    await clock.advance(7000);
    circuit.enter(false).succeeded();
    expect(circuit.state.circuit).toBe("closed");
  });

  it("opens for a minute, then two, when a 429 says nothing (H68)", async () => {
    circuit.enter(false).failed(limited());
    expect((circuit.state.retryAt ?? 0) - clock.now()).toBe(60_000);
    await clock.advance(60_000);
    circuit.enter(false).failed(limited());
    expect((circuit.state.retryAt ?? 0) - clock.now()).toBe(120_000);
  });

  it("lets blobs through a limit on manifests, which is not charged for blobs, but not through their own", () => {
    circuit.enter(false).failed(limited(7000));
    expect(() => circuit.enter(true)).not.toThrow();
    circuit.enter(true).succeeded();
    expect(circuit.state.circuit).toBe("open");
    circuit.enter(true).failed(limited(7000));
    expect(() => circuit.enter(true)).toThrow("docker.io is not asked");
  });

  it("stays open for a limit when an older request is answered, and closes when it was dead", () => {
    const older = circuit.enter(false);
    const oldest = circuit.enter(false);
    circuit.enter(false).failed(limited(7000));
    older.succeeded();
    expect(circuit.state.circuit).toBe("open");
    oldest.failed(dead);
    expect(circuit.state.reason).toBe("it answered 429");
  });

  it("closes when any answer comes from an upstream that seemed dead", () => {
    const older = circuit.enter(false);
    die(3);
    older.succeeded();
    expect(circuit.state.circuit).toBe("closed");
  });
});
