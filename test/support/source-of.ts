/** Owns the Source of client tests: over a fake registry, with retries that pass quickly, closed when the test ends. */
import { onTestFinished } from "vitest";
import type { Clock } from "../../src/observe/clock.ts";
import type { Source } from "../../src/source.ts";
import { createUpstreamClient } from "../../src/upstream/client.ts";
import { registrySource } from "../../src/upstream/registry/registry-source.ts";
import type { FakeRegistry } from "./fake-registry.ts";
import { HurriedClock } from "./start-upstream.ts";
import { upstreamOf } from "./upstream-of.ts";

/** Every registry name leads to `fake`. */
export function sourceOf(
  fake: FakeRegistry,
  overrides: Parameters<typeof upstreamOf>[1] = {},
  clock: Clock = new HurriedClock(),
): Source {
  const source = registrySource((registry) =>
    createUpstreamClient({
      upstream: upstreamOf(fake, { name: registry, ...overrides }),
      clock,
      env: {},
      userAgent: "granary/test",
    }),
  );
  onTestFinished(() => source.close());
  return source;
}
