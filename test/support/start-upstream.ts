/**
 * Owns the start of upstream tests: a fake registry and a client of it, both closed when the test ends, with a clock
 * whose short waits pass quickly and which can be set ahead.
 */
import { onTestFinished } from "vitest";
import { type Clock, systemClock } from "../../src/observe/clock.ts";
import { createMetrics } from "../../src/observe/metrics.ts";
import { MANIFEST_UNION } from "../../src/oci/media-types.ts";
import { createUpstreamClient, type UpstreamClientOptions } from "../../src/upstream/client.ts";
import type { ManifestAsk } from "../../src/upstream/upstream-client.ts";
import { type FakeOptions, type FakeRegistry, startFakeRegistry } from "./fake-registry.ts";
import { upstreamOf } from "./upstream-of.ts";

/** Retry delays are seconds; tests wait for a twentieth of them. The 30 s budget stays as long as it is. */
const HURRY = 20;
const LONG_MS = 10_000;
/** The pauses between two looks at an upstream that is away. Time goes on by all of them, or riding it out would take its five seconds. */
const LOOKS_MS = { least: 100, most: 900 };

export class HurriedClock implements Clock {
  /** Added to the time. */
  aheadMs = 0;
  /** What somebody has set the date by, ahead or back; no time passes with it. */
  setByMs = 0;
  now(): number {
    return Date.now() + this.aheadMs + this.setByMs;
  }
  elapsed(): number {
    return systemClock.elapsed() + this.aheadMs;
  }
  after(ms: number, run: () => void) {
    if (this.holdsTimers && ms > 0) {
      this.#held.add(run);
      return { cancel: () => this.#held.delete(run) };
    }
    if (ms < LOOKS_MS.least || ms > LOOKS_MS.most) {
      return systemClock.after(ms < LONG_MS ? ms / HURRY : ms, run);
    }
    const at = this.elapsed() + ms;
    return systemClock.after(ms / HURRY, () => {
      this.aheadMs += Math.max(0, at - this.elapsed());
      run();
    });
  }

  /** Timers that are set from now on fire when the test says so, and at no time of their own. */
  holdsTimers = false;
  readonly #held = new Set<() => void>();

  /** Fires all that are held. */
  fireTimers(): void {
    const held = [...this.#held];
    this.#held.clear();
    for (const run of held) run();
  }
}

/** Time that leaps over every wait: what was to come in a minute comes at once, and it is a minute later then. */
export class LeapingClock implements Clock {
  #aheadMs = 0;
  now(): number {
    return Date.now() + this.#aheadMs;
  }
  elapsed(): number {
    return systemClock.elapsed() + this.#aheadMs;
  }
  after(ms: number, run: () => void) {
    const at = this.elapsed() + ms;
    return systemClock.after(Math.min(ms, HURRY), () => {
      this.#aheadMs += Math.max(0, at - this.elapsed());
      run();
    });
  }
}

export async function startFake(options: FakeOptions): Promise<FakeRegistry> {
  const fake = await startFakeRegistry(options);
  onTestFinished(() => fake.close());
  return fake;
}

type Overrides = Parameters<typeof upstreamOf>[1];

/** A client of `fake`, deaf to the environment's proxies. */
export function clientOf(
  fake: FakeRegistry,
  overrides: Overrides = {},
  options: Partial<UpstreamClientOptions> = {},
) {
  const clock = new HurriedClock();
  const metrics = createMetrics();
  const upstream = upstreamOf(fake, overrides);
  const client = createUpstreamClient({ clock, metrics, env: {}, ...options, upstream });
  onTestFinished(() => client.close());
  return { client, clock, metrics };
}

export async function startUpstream(
  fakeOptions: FakeOptions,
  overrides: Overrides = {},
  options: Partial<UpstreamClientOptions> = {},
) {
  const fake = await startFake(fakeOptions);
  return { fake, ...clientOf(fake, overrides, options) };
}

export function askFor(repository: string, reference: string, userAgent?: string): ManifestAsk {
  return { repository, reference, accept: MANIFEST_UNION, userAgent };
}

/** A signal that nobody aborts. */
export const patient = new AbortController().signal;
