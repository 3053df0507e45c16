/** Shows what Jobs promise: progress, an end with a result or a reason, a way to stop, and that a restart loses none of it. */
import { join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import type { JobControls, JobKind } from "../../src/jobs/job-kind.ts";
import { Jobs } from "../../src/jobs/jobs.ts";
import { type JobRow, type JobRows, jobRows } from "../../src/metadata/job-rows.ts";
import { SqliteFile } from "../../src/metadata/sqlite-file.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics, type Metrics } from "../../src/observe/metrics.ts";
import { Events } from "../../src/records/events.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";
import { tempDirectory } from "../support/temp-directory.ts";

/** Work that goes on until the test says how it ends. */
class Handled implements JobKind<unknown> {
  readonly name: string;
  readonly canResume: boolean;
  readonly begun: { readonly input: unknown; readonly controls: JobControls }[] = [];
  #end = Promise.withResolvers<unknown>();

  constructor(name: string, canResume = false) {
    this.name = name;
    this.canResume = canResume;
  }

  parse(input: unknown): unknown {
    if (input === "bad") throw new GranaryError("config-invalid", 'Expected anything but "bad".');
    return input;
  }

  async work(input: unknown, controls: JobControls): Promise<unknown> {
    this.begun.push({ input, controls });
    controls.signal.addEventListener("abort", () => this.#end.reject(controls.signal.reason));
    return await this.#end.promise;
  }

  get controls(): JobControls {
    const last = this.begun.at(-1);
    if (last === undefined) throw new Error("No job has begun.");
    return last.controls;
  }

  end(result: unknown): void {
    this.#end.resolve(result);
  }

  fail(error: unknown): void {
    this.#end.reject(error);
  }
}

type World = {
  readonly jobs: Jobs;
  readonly told: string[];
  readonly clock: FakeClock;
  readonly metrics: Metrics;
};

async function openJobs(
  rows: JobRows,
  kinds: readonly JobKind<unknown>[],
  clock = new FakeClock(),
): Promise<World> {
  const told: string[] = [];
  const events = new Events(clock);
  events.subscribe(({ text }) => void told.push(text));
  const metrics = createMetrics();
  const jobs = new Jobs({ rows, events, clock, log: silentLog, metrics });
  for (const kind of kinds) jobs.register(kind);
  await jobs.open();
  return { jobs, told, clock, metrics };
}

async function stored(): Promise<JobRows> {
  const file = new SqliteFile(join(await tempDirectory(), "granary.db"));
  onTestFinished(() => file.close());
  return jobRows(file);
}

/** What is stored when a process is killed now, seen by the next one. */
async function killed(rows: JobRows, clock: FakeClock): Promise<JobRows> {
  await clock.advance(10_000);
  const left = await rows.jobs();
  return { jobs: async () => left, writeJobs: async () => {} };
}

describe("a job", () => {
  test("tells how far it is and what it says, and ends with its result", async () => {
    const kind = new Handled("warm");
    const { jobs, told, clock } = await openJobs(await stored(), [kind]);
    const { id } = jobs.start("warm", { references: ["alpine"] }, "warm alpine");
    expect(jobs.get(id)).toMatchObject({ state: "running", title: "warm alpine", kind: "warm" });
    await settle();
    kind.controls.progress({ bytes: { done: 5, total: 10 }, things: { done: 0, total: 1 } });
    kind.controls.note("asking for alpine");
    expect(jobs.get(id)).toMatchObject({
      progress: { bytes: { done: 5, total: 10 }, things: { done: 0, total: 1 } },
      notes: ["asking for alpine"],
    });
    await clock.advance(60_000);
    kind.end({ lines: 1 });
    expect(await jobs.ended(id)).toMatchObject({ state: "done", result: { lines: 1 }, endedAt: clock.now() });
    expect(told).toEqual([`Job ${id} began: warm alpine.`, `Job ${id} is done: warm alpine.`]);
  });

  test("that fails says why", async () => {
    const kind = new Handled("warm");
    const { jobs, told } = await openJobs(await stored(), [kind]);
    const { id } = jobs.start("warm", null, "warm alpine");
    kind.fail(new GranaryError("upstream-unavailable", "docker.io does not answer."));
    expect(await jobs.ended(id)).toMatchObject({ state: "failed", reason: "docker.io does not answer." });
    expect(told.at(-1)).toBe(`Job ${id} is failed: warm alpine. docker.io does not answer.`);
  });

  test("is counted while it runs, and by how it ended, from none on", async () => {
    const kind = new Handled("warm");
    const { jobs, metrics } = await openJobs(await stored(), [kind]);
    const running = async () => (await metrics.jobs.get()).values.map(({ value }) => value);
    const ended = async () =>
      (await metrics.jobsEnded.get()).values.map(({ labels, value }) => `${labels.state} ${value}`);
    expect(await ended()).toEqual(["done 0", "failed 0", "stopped 0"]);
    const { id } = jobs.start("warm", null, "warm alpine");
    expect(await running()).toEqual([1]);
    kind.fail(new GranaryError("upstream-unavailable", "docker.io does not answer."));
    await jobs.ended(id);
    expect(await running()).toEqual([0]);
    expect(await ended()).toEqual(["done 0", "failed 1", "stopped 0"]);
  });

  test("that is stopped ends soon, and says that somebody stopped it", async () => {
    const kind = new Handled("warm", true);
    const { jobs } = await openJobs(await stored(), [kind]);
    const { id } = jobs.start("warm", null, "warm alpine");
    await settle();
    jobs.stop(id);
    expect(await jobs.ended(id)).toMatchObject({ state: "stopped", reason: "Somebody stopped it." });
    expect(() => jobs.stop(id)).toThrow(`Job ${id} (warm alpine) has ended already: stopped.`);
  });

  test("that is stopped keeps what it had done, when it gives that back", async () => {
    const work: JobKind<unknown> = {
      ...{ name: "warm", canResume: false, parse: (input) => input },
      work: async (_, { signal }) => {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        return { lines: ["alpine is here"] };
      },
    };
    const { jobs } = await openJobs(await stored(), [work]);
    const { id } = jobs.start("warm", null, "warm");
    await settle();
    jobs.stop(id);
    expect(await jobs.ended(id)).toMatchObject({ state: "stopped", result: { lines: ["alpine is here"] } });
  });

  test("that nobody knows is not found, and a kind that nobody knows names those that there are", async () => {
    const { jobs } = await openJobs(await stored(), [new Handled("warm"), new Handled("verify")]);
    expect(() => jobs.get(7)).toThrow("There is no job 7");
    expect(() => jobs.stop(7)).toThrow("There is no job 7");
    expect(() => jobs.start("dance", null, "dance")).toThrow('kind "dance"; there are: warm, verify.');
  });
});

describe("a job is refused", () => {
  test("for an input that its kind cannot use, and nothing is begun", async () => {
    const { jobs } = await openJobs(await stored(), [new Handled("warm")]);
    expect(() => jobs.start("warm", "bad", "warm")).toThrow('Expected anything but "bad".');
    expect(jobs.list()).toEqual([]);
  });

  test("when its kind says that a running one contradicts it", async () => {
    const remove = Object.assign(new Handled("remove"), {
      contradicts: (_: unknown, running: readonly { id: number; kind: string }[]) => {
        const warm = running.find(({ kind }) => kind === "warm");
        return warm && `Job ${warm.id} brings in what this would remove.`;
      },
    });
    const warm = new Handled("warm");
    const { jobs } = await openJobs(await stored(), [warm, remove]);
    const { id } = jobs.start("warm", null, "warm");
    const asked = () => jobs.start("remove", null, "remove");
    expect(asked).toThrow(`Job ${id} brings in what this would remove.`);
    expect(codeOf(asked)).toBe("conflict");
    warm.end(undefined);
    await jobs.ended(id);
    expect(asked().state).toBe("running");
  });

  test("when sixteen run, and when its input is larger than is kept", async () => {
    const { jobs } = await openJobs(await stored(), [new Handled("warm")]);
    const huge = () => jobs.start("warm", "x".repeat(2 ** 20), "warm");
    expect(huge).toThrow(/takes at most 524288 bytes/);
    for (let count = 0; count < 16; count++) jobs.start("warm", count, "warm");
    const more = () => jobs.start("warm", null, "warm");
    expect(more).toThrow("16 jobs run already");
    expect(codeOf(more)).toBe("conflict");
  });

  test("once Granary stops", async () => {
    const { jobs } = await openJobs(await stored(), [new Handled("warm")]);
    await jobs.close(1_000);
    expect(codeOf(() => jobs.start("warm", null, "warm"))).toBe("closed");
  });
});

function codeOf(work: () => unknown): string | undefined {
  try {
    work();
  } catch (error) {
    return error instanceof GranaryError ? error.code : undefined;
  }
  return undefined;
}

describe("after a restart", () => {
  test("a job goes on where it said that it was, under its number", async () => {
    const rows = await stored();
    const first = new Handled("verify", true);
    const { jobs } = await openJobs(rows, [first]);
    const { id } = jobs.start("verify", { repair: true }, "verify everything");
    await settle();
    first.controls.remember({ after: "sha256:aa" });
    await jobs.close(1_000);

    const second = new Handled("verify", true);
    const next = await openJobs(rows, [second]);
    await settle();
    expect(second.begun).toMatchObject([
      { input: { repair: true }, controls: { remembered: { after: "sha256:aa" } } },
    ]);
    expect(next.told).toEqual([`Job ${id} began again: verify everything.`]);
    second.end("sound");
    expect(await next.jobs.ended(id)).toMatchObject({ state: "done", result: "sound" });
    expect(next.jobs.start("verify", null, "verify").id).toBe(id + 1);
  });

  test("and after a kill, with what it remembered a few seconds ago", async () => {
    const rows = await stored();
    const first = new Handled("verify", true);
    const { jobs, clock } = await openJobs(rows, [first]);
    jobs.start("verify", null, "verify");
    await settle();
    first.controls.remember({ after: "sha256:aa" });
    const second = new Handled("verify", true);
    await openJobs(await killed(rows, clock), [second]);
    await settle();
    expect(second.controls.remembered).toEqual({ after: "sha256:aa" });
  });

  test("a job whose work cannot go on has ended with a reason, after a kill and after a stop", async () => {
    const rows = await stored();
    const { jobs, clock } = await openJobs(rows, [new Handled("export")]);
    const { id } = jobs.start("export", null, "export to a file");
    const next = await openJobs(await killed(rows, clock), [new Handled("export")]);
    expect(next.jobs.get(id)).toMatchObject({ state: "failed", reason: /cannot go on/ });

    await jobs.close(1_000);
    const third = await openJobs(rows, [new Handled("export")]);
    expect(third.jobs.get(id)).toMatchObject({ state: "stopped", reason: /cannot go on/ });
  });

  test("a job that ended the process five times in a row is not begun again", async () => {
    let rows = await stored();
    const begun = await openJobs(rows, [new Handled("verify", true)]);
    const { id } = begun.jobs.start("verify", null, "verify");
    await begun.clock.advance(10_000);
    const left = await rows.jobs();
    let kept: JobRow[] = left;
    rows = {
      jobs: async () => kept,
      writeJobs: async (changed) => {
        kept = [...changed];
      },
    };
    for (let kills = 0; kills < 5; kills++) {
      const { clock, jobs } = await openJobs(rows, [new Handled("verify", true)]);
      expect(jobs.get(id).state).toBe("running");
      await clock.advance(10_000);
    }
    const { jobs } = await openJobs(rows, [new Handled("verify", true)]);
    expect(jobs.get(id)).toMatchObject({ state: "failed", reason: /ended 5 times while it ran/ });
  });

  test("the history is there, and rows that nobody can read are gone", async () => {
    const rows = await stored();
    const kind = new Handled("warm");
    const { jobs } = await openJobs(rows, [kind]);
    const { id } = jobs.start("warm", null, "warm alpine");
    kind.end({ lines: [1, 2] });
    await jobs.ended(id);
    await jobs.close(1_000);
    await rows.writeJobs(
      [
        { id: 90, body: "{" },
        { id: 91, body: '{"record":{"state":"done"}}' },
      ],
      [],
    );

    const next = await openJobs(rows, [new Handled("warm")]);
    expect(next.jobs.list()).toMatchObject([
      { id, title: "warm alpine", state: "done", result: { lines: [1, 2] } },
    ]);
    expect(next.jobs.start("warm", null, "warm").id).toBe(92);
    await next.clock.advance(10_000);
    expect((await rows.jobs()).map((row) => row.id)).toEqual([id, 92]);
  });
});

describe("the history", () => {
  test("is bounded in number and in bytes, in memory and on disk; the oldest go", async () => {
    const rows = await stored();
    const work: JobKind<unknown> = {
      ...{ name: "warm", canResume: false, parse: (input) => input },
      work: async (input) => (input === "large" ? "x".repeat(400_000) : undefined),
    };
    const { jobs, clock } = await openJobs(rows, [work]);
    const one = async (input: string) => jobs.ended(jobs.start("warm", input, "warm").id);
    for (let count = 0; count < 210; count++) await one("small");
    await clock.advance(10_000);
    expect(jobs.list()).toHaveLength(200);
    expect(await rows.jobs()).toHaveLength(200);
    for (let count = 0; count < 30; count++) await one("large");
    await clock.advance(10_000);
    const bytes = (await rows.jobs()).reduce((sum, { body }) => sum + body.length, 0);
    expect(bytes).toBeLessThan(8 * 2 ** 20 + 1);
    expect(jobs.list()[0]?.id).toBe(240);
  });

  test("a result that is too large to be kept is said to be so", async () => {
    const kind = new Handled("warm");
    const { jobs } = await openJobs(await stored(), [kind]);
    const { id } = jobs.start("warm", null, "warm");
    kind.end("x".repeat(2 ** 20));
    const ended = await jobs.ended(id);
    expect(ended).toMatchObject({ state: "done", reason: /Its result is not kept/ });
    expect(ended).not.toHaveProperty("result");
  });

  test("a disk that takes no writes stops no job, and what happened is written when it takes them again", async () => {
    const rows = await stored();
    let isFull = true;
    const failing: JobRows = {
      jobs: rows.jobs,
      writeJobs: async (changed, forgotten) => {
        if (isFull) throw new GranaryError("store-full", "The disk is full.");
        await rows.writeJobs(changed, forgotten);
      },
    };
    const kind = new Handled("warm");
    const { jobs, clock } = await openJobs(failing, [kind]);
    const { id } = jobs.start("warm", null, "warm");
    kind.end("done");
    expect(await jobs.ended(id)).toMatchObject({ state: "done" });
    await clock.advance(10_000);
    expect(await rows.jobs()).toEqual([]);
    isFull = false;
    await clock.advance(10_000);
    expect(await rows.jobs()).toHaveLength(1);
  });
});
