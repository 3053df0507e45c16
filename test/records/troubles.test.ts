/** Troubles: what failed lately, by its cause, with what to do about it, from the failure of a request to the answer of the API. */
import { describe, expect, onTestFinished, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { type ErrorCode, GranaryError } from "../../src/errors.ts";
import { codeSchema } from "../../src/http/admin/admin-error.ts";
import type { AdminParts } from "../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../src/http/admin/app.ts";
import { silentLog } from "../../src/observe/log.ts";
import { digestOf } from "../../src/oci/digest.ts";
import { adviceOn, CAUSE_NAMES } from "../../src/records/cause-advice.ts";
import { openRecords } from "../../src/records/records.ts";
import { OfflineSwitch } from "../../src/upstream/network/offline-switch.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { recordsWorld } from "../support/records-world.ts";
import { serveMemory } from "../support/serve-memory.ts";
import { ask } from "../support/wire.ts";

const DAY_MS = 86_400_000;

type Told = {
  cause: string;
  upstream?: string;
  title: string;
  todo: string;
  command?: string;
  times: number;
  pulls: number;
  firstAt: number;
  lastAt: number;
  overAt?: number;
  newest: { text: string; facts: Record<string, unknown> }[];
};

async function troublesOf(
  records: AdminParts["records"],
  clock: AdminParts["clock"],
  query = "",
): Promise<Told[]> {
  const app = createAdminApp({ records, clock, log: silentLog } as AdminParts);
  const answer = await app.request(`/api/v1/troubles${query}`);
  expect(answer.status).toBe(200);
  return ((await answer.json()) as { items: Told[] }).items;
}

/** One pull of a client, which fails in this way. */
async function failedPull(error: Error): Promise<Told[]> {
  const clock = new FakeClock();
  const records = openRecords({ clock });
  const server = await serveMemory({ records });
  onTestFinished(() => server.close());
  server.mirror.failure = error;
  await ask(server.hub, "/v2/library/alpine/manifests/3", { headers: { "user-agent": "docker/28.0.1" } });
  records.pulls.settle(true);
  return await troublesOf(records, clock);
}

describe("a pull that fails is told of with its cause and what to do about it", () => {
  test.each(codeSchema.options.filter((code) => code !== "denied"))("%s", async (code) => {
    const [told, ...more] = await failedPull(new GranaryError(code, "The sentence of it."));
    expect(more).toEqual([]);
    expect(told).toMatchObject({ cause: code, times: 1, pulls: 1 });
    expect(told?.newest).toMatchObject([
      {
        kind: "pull-failed",
        text: "docker could not pull docker.io/library/alpine:3: The sentence of it.",
        facts: { code, upstream: "docker.io", client: "127.0.0.1", agent: "docker" },
      },
    ]);
  });

  test("a refusal by the registry, and one by this Granary, are two things to do", async () => {
    const byRegistry = new GranaryError("denied", "It answered 403.", { upstreamStatus: 403 });
    expect(await failedPull(byRegistry)).toMatchObject([
      { cause: "denied", upstream: "docker.io", title: "docker.io does not allow it" },
    ]);
    const byRule = new GranaryError("denied", "docker.io/library/alpine:3 may not pass this mirror.");
    expect(await failedPull(byRule)).toMatchObject([{ cause: "refused-here", command: "granary rules" }]);
  });

  test("an upstream that a person has set offline is nothing to look for in the network, whoever waited for whose answer", async () => {
    const offline = new OfflineSwitch("docker.io");
    offline.set(1);
    const refusal = offline.refusal as GranaryError;
    const shared = new GranaryError("upstream-unavailable", "It cannot be told now.", { cause: refusal });
    for (const error of [refusal, shared])
      expect(await failedPull(error)).toMatchObject([
        { cause: "set-offline", command: "granary offline off docker.io" },
      ]);
  });

  test("what nobody foresaw has no cause, and says where to look", async () => {
    const [told] = await failedPull(new TypeError("x is not a function"));
    expect(told).toMatchObject({ cause: "unknown", times: 1 });
    expect(told?.todo).toContain("log");
  });

  test("a client that leaves is told of as that, and not as trouble of the upstream", async () => {
    const world = await recordsWorld();
    const record = world.begin(digestOf(Buffer.from("layer")));
    record.sent(5);
    record.end({ from: "upstream", isWhole: false, failure: undefined });
    world.records.pulls.settle(true);
    expect(await troublesOf(world.records, world.clock)).toMatchObject([{ cause: "aborted", pulls: 1 }]);
  });
});

test("what has one cause is one group, the newest first, with five examples; it survives a restart", async () => {
  const world = await recordsWorld();
  const { clock } = world;
  const down = (upstream: string) =>
    world.records.events.tell("upstream-down", `${upstream} is away`, {
      upstream,
      code: "upstream-unavailable",
    });
  const began = clock.now();
  down("docker.io");
  for (let n = 0; n < 9; n++) {
    await clock.advance(1_000);
    const facts = { upstream: "docker.io", repository: `org/${n}`, code: "upstream-unavailable" };
    world.records.events.tell("pull-failed", `docker could not pull docker.io/org/${n}`, facts);
  }
  await clock.advance(1_000);
  down("ghcr.io");
  await world.restart();
  const [ghcr, hub, ...more] = await troublesOf(world.records, clock);
  expect(more).toEqual([]);
  expect(ghcr).toMatchObject({ upstream: "ghcr.io", title: "ghcr.io cannot be reached, or fails", times: 1 });
  expect(hub).toMatchObject({
    ...{ upstream: "docker.io", times: 10, pulls: 9, firstAt: began, lastAt: began + 9_000 },
    command: "granary doctor",
  });
  expect(hub?.overAt).toBeUndefined();
  expect(hub?.newest.map(({ facts }) => facts.repository)).toEqual([8, 7, 6, 5, 4].map((n) => `org/${n}`));
});

test("an upstream that answers again is told of as over, until it fails again; of a limit nobody knows that", async () => {
  const world = await recordsWorld();
  const { clock, records } = world;
  const { events } = records;
  const fail = (code: ErrorCode) => events.tell("pull-failed", "no", { upstream: "docker.io", code });
  fail("upstream-unavailable");
  fail("rate-limited");
  await clock.advance(1_000);
  events.tell("upstream-up", "docker.io answers again", { upstream: "docker.io" });
  events.tell("upstream-up", "ghcr.io answers again", { upstream: "ghcr.io" });
  const overAt = clock.now();
  const byCause = async () =>
    new Map((await troublesOf(records, clock)).map((told) => [told.cause, told.overAt]));
  expect(await byCause()).toEqual(
    new Map([
      ["upstream-unavailable", overAt],
      ["rate-limited", undefined],
    ]),
  );
  await clock.advance(1_000);
  fail("upstream-unavailable");
  expect((await byCause()).get("upstream-unavailable")).toBeUndefined();
});

test("a job that failed is told of by its cause, and one that is done is not", async () => {
  const { clock, records } = await recordsWorld();
  const end = (state: string, code?: ErrorCode) =>
    records.events.tell("job-ended", `Job 7 is ${state}.`, { job: 7, kind: "warm", state, code });
  end("done");
  end("stopped", "aborted");
  end("failed", "not-found");
  expect(await troublesOf(records, clock)).toMatchObject([
    { cause: "not-found", title: "The source does not have what was asked for", times: 1, pulls: 0 },
  ]);
});

test("only the days that are asked for count, and a list that is long comes in pages", async () => {
  const { clock, records } = await recordsWorld();
  records.events.tell("upstream-limited", "limited", { upstream: "docker.io", code: "rate-limited" });
  await clock.advance(2 * DAY_MS);
  for (const upstream of ["a.test", "b.test", "c.test"]) {
    await clock.advance(1);
    records.events.tell("upstream-limited", "limited", { upstream, code: "rate-limited" });
  }
  const names = async (query: string) =>
    (await troublesOf(records, clock, query)).map(({ upstream }) => upstream);
  expect(await names("")).toEqual(["c.test", "b.test", "a.test", "docker.io"]);
  expect(await names("?days=1")).toEqual(["c.test", "b.test", "a.test"]);
  expect(await names("?days=1&limit=2")).toEqual(["c.test", "b.test"]);
  expect(await names("?days=1&limit=2&after=2")).toEqual(["a.test"]);
});

describe("what to do about it", () => {
  test.each(CAUSE_NAMES)("%s: sentences that end, and name the upstream where it is known", (cause) => {
    for (const name of [undefined, "lab"]) {
      const { title, todo } = adviceOn(cause, name);
      expect(title).toMatch(/^(lab |[A-Z])[^.]+$/);
      expect(todo).toMatch(/^[A-Z].{20,300}\.$/);
      expect(title + todo).not.toMatch(/undefined|GranaryError/);
    }
  });

  test("every command is one that there is, with options that it has", async () => {
    const all = new Map((await commands()).map((command) => [command.name(), command]));
    const told = CAUSE_NAMES.flatMap((cause) => adviceOn(cause, "ghcr.io").command ?? []);
    expect(told.length).toBeGreaterThan(5);
    for (const line of told) {
      const [program, verb = "", ...rest] = line.split(" ");
      expect(program).toBe("granary");
      const command = all.get(verb);
      expect(command, line).toBeDefined();
      const options = command?.options.map(({ long }) => long);
      for (const word of rest.filter((each) => each.startsWith("--"))) expect(options, line).toContain(word);
    }
  });
});
