/** Shows that what one client asked for is never told to another: not in an error, not in a warning. */
import { describe, expect, it } from "vitest";
import { formatWarning } from "../../src/http/answers/respond.ts";
import { MiB, type MirrorWorld, startWorld } from "../support/mirror-world.ts";

const SECRET = /alice|secret|v1-unreleased/;
const LIFETIME_MS = 600_000;

async function failureOf(asking: Promise<unknown>): Promise<Error> {
  return await asking.then(
    () => {
      throw new Error("it did not fail");
    },
    (error: Error) => error,
  );
}

/** Somebody asks for a repository that nobody else should hear of, often enough to make the upstream count as dead. */
async function askSecretly(world: MirrorWorld): Promise<void> {
  await failureOf(world.get("alice/secret", "v1-unreleased"));
  await failureOf(world.head("alice/secret", "v1-unreleased"));
}

describe("one client's question is not told to another (names of repositories, tags, digests)", () => {
  it.each([
    ["is down", (world: MirrorWorld) => world.fake.pause()],
    [
      "answers 502",
      async (world: MirrorWorld) => world.fake.fail(/./, { kind: "status", status: 502 }, { times: 99_999 }),
    ],
    [
      "limits us",
      async (world: MirrorWorld) => world.fake.fail(/./, { kind: "rate-limited" }, { times: 99_999 }),
    ],
  ] as const)("by the error or the warning while the upstream %s", async (_, break_) => {
    const world = await startWorld();
    world.fake.addImage("a/b", "1", { layers: [100] });
    await world.get("a/b", "1");
    await world.tags("a/b");
    world.clock.aheadMs += LIFETIME_MS;
    await break_(world);
    await askSecretly(world);
    const told = [
      (await world.get("a/b", "1")).warning,
      (await world.head("a/b", "1")).warning,
      (await world.tags("a/b")).warning,
      (await failureOf(world.get("a/other", "1"))).message,
      (await failureOf(world.tags("a/other"))).message,
      JSON.stringify((await world.mirror.status()).upstreams),
    ];
    for (const text of told) {
      expect(text).toBeTypeOf("string");
      expect(text).not.toMatch(SECRET);
    }
  });

  it("by the failure of a transfer that both of them read", async () => {
    const world = await startWorld({ upstream: { policy: { attempts: 1 } } });
    const digest = world.fake.addGeneratedBlob({ seed: 1, size: 6 * MiB }, "alice/secret");
    world.fake.addGeneratedBlob({ seed: 1, size: 6 * MiB }, "a/b");
    world.fake.fail(/blobs/, { kind: "status", status: 418 }, { method: "GET", times: 99_999 });
    const first = failureOf(world.read("alice/secret", digest));
    const second = failureOf(world.read("a/b", digest));
    expect((await first).message).toContain("alice/secret");
    expect((await second).message).not.toMatch(SECRET);
    expect((await second).message).toContain("a/b");
  });
});

describe("a Warning header", () => {
  it.each([
    ["quotes and backslashes", `${"\\".repeat(900)}"`],
    ["a long text", "x".repeat(70_000)],
    ["line breaks and letters beyond ASCII", "stale: h\u00e9\r\nSet-Cookie: a=b"],
    ["an escape at the limit", `${"x".repeat(499)}""""`],
    ["an escape at twice the limit", `${"x".repeat(999)}""""`],
  ])("is one bounded, complete quoted string (%s)", (_, text) => {
    const header = formatWarning(text);
    expect(header).toMatch(/^299 - "(?:[^"\\]|\\["\\])*"$/);
    expect(header).toMatch(/^[\x20-\x7e]*$/);
    expect(Buffer.byteLength(header)).toBeLessThan(1_100);
  });
});
