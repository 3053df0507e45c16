/** Owns how questions share a few connections, and when a database counts as away: without a server, by a clock that the test moves. */
import { describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { Answering } from "../../src/fleet/postgres/answering.ts";
import type { Line } from "../../src/fleet/postgres/line.ts";
import { Lines } from "../../src/fleet/postgres/lines.ts";
import { awayError } from "../../src/fleet/postgres/postgres-error.ts";
import { silentLog } from "../../src/observe/log.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

/** A line whose questions are answered when the test says so. */
class FakeLine implements Line {
  isClosed = false;
  readonly asked: string[] = [];
  readonly #answers: PromiseWithResolvers<object[]>[] = [];

  ask<Row extends object>(text: string): Promise<Row[]> {
    this.asked.push(text);
    const answer = Promise.withResolvers<object[]>();
    this.#answers.push(answer);
    return answer.promise as Promise<Row[]>;
  }

  answer(): void {
    this.#answers.shift()?.resolve([]);
  }

  fail(error: GranaryError): void {
    this.#answers.shift()?.reject(error);
  }

  destroy(): void {
    this.isClosed = true;
    for (const answer of this.#answers.splice(0)) answer.reject(awayError("here", "it was given up"));
  }

  async end(): Promise<void> {
    this.destroy();
  }
}

function world(most: number) {
  const clock = new FakeClock();
  const dialled: FakeLine[] = [];
  const away: GranaryError[] = [];
  const dial = () => {
    const line = new FakeLine();
    dialled.push(line);
    return line;
  };
  const onAway = (error: GranaryError) => away.push(error);
  const lines = new Lines({ dial, clock, host: "here", most, patienceMs: 1_000, onAway });
  const ask = (text: string) => lines.use((query) => query(text));
  return { clock, dialled, away, lines, ask };
}

const AWAY = { code: "fleet-unavailable", facts: { isUnreachable: true } };

describe("lines", () => {
  test("are dialled as they are needed, given on in turn, and never more than told", async () => {
    const { dialled, ask } = world(2);
    const answers = ["a", "b", "c", "d"].map(ask);
    await settle();
    expect(dialled.map(({ asked }) => asked)).toEqual([["a"], ["b"]]);
    dialled[1]?.answer();
    await settle();
    expect(dialled.map(({ asked }) => asked)).toEqual([["a"], ["b", "c"]]);
    dialled[1]?.answer();
    await settle();
    for (const line of dialled) line.answer();
    expect(await Promise.all(answers)).toEqual([[], [], [], []]);
    void ask("e");
    await settle();
    expect(dialled).toHaveLength(2);
  });

  test("are given up with the question whose time has passed, and whoever waits gets a new one", async () => {
    const { clock, dialled, away, ask } = world(1);
    const first = expect(ask("a")).rejects.toMatchObject(AWAY);
    await clock.advance(500);
    const second = ask("b");
    await clock.advance(500);
    await first;
    expect(away).toHaveLength(1);
    expect(dialled[0]?.isClosed).toBe(true);
    await settle();
    expect(dialled[1]?.asked).toEqual(["b"]);
    dialled[1]?.answer();
    expect(await second).toEqual([]);
    expect(clock.timers).toBe(0);
  });

  test("that are all in use refuse whoever has waited long enough, which says nothing of the database", async () => {
    const { clock, dialled, away, lines, ask } = world(1);
    const held = Promise.withResolvers<void>();
    const holding = lines.use(() => held.promise);
    const waiting = expect(ask("a")).rejects.toMatchObject({ facts: { isUnreachable: false } });
    await clock.advance(1_000);
    await waiting;
    held.resolve();
    await holding;
    expect(away).toEqual([]);
    const next = ask("b");
    await settle();
    dialled[0]?.answer();
    expect(await next).toEqual([]);
  });

  test("that the server has ended are not used again, and neither are idle ones once it is away", async () => {
    const { dialled, lines, ask } = world(3);
    const both = [ask("a"), ask("b")];
    await settle();
    for (const line of dialled) line.answer();
    await Promise.all(both);
    const [first, last] = dialled;
    if (last !== undefined) last.isClosed = true;
    void ask("c").catch(() => undefined);
    await settle();
    expect(first?.asked).toEqual(["a", "c"]);
    first?.answer();
    await settle();
    lines.dropIdle(awayError("here", "it does not answer"));
    expect(first?.isClosed).toBe(true);
  });

  test("are closed with whoever uses or waits for one", async () => {
    const { lines, ask } = world(1);
    const questions = ["a", "b"].map((text) => expect(ask(text)).rejects.toMatchObject({ code: "closed" }));
    await settle();
    await lines.close();
    await Promise.all(questions);
    await expect(ask("c")).rejects.toMatchObject({ code: "closed" });
  });
});

describe("whether a database answers", () => {
  function answering() {
    const clock = new FakeClock();
    const state = { isThere: true, tries: 0, error: awayError("here", "it does not answer") };
    const attempt = async () => {
      state.tries += 1;
      if (!state.isThere) throw state.error;
    };
    const subject = new Answering({ log: silentLog, clock, host: "here", attempt });
    const heard: boolean[] = [];
    subject.onChange((isAnswering) => heard.push(isAnswering));
    return { clock, state, subject, heard };
  }

  test("is found out by a first try, and until then nothing is asked", async () => {
    const { subject, heard } = answering();
    expect(subject.isAnswering).toBe(false);
    expect(() => subject.expect()).toThrow("was not reached yet");
    await subject.tryAgain();
    expect(subject.isAnswering).toBe(true);
    subject.expect();
    expect(heard).toEqual([true]);
  });

  test("is in doubt after a failure for as long as the next try takes, and nobody hears of that", async () => {
    const { subject, heard } = answering();
    await subject.tryAgain();
    subject.failed(awayError("here", "the connection was lost"));
    expect(() => subject.expect()).toThrow("the connection was lost");
    expect(subject.isAnswering).toBe(true);
    await settle();
    subject.expect();
    expect(heard).toEqual([true]);
  });

  test("is tried once a second by whoever asks, while nobody waits, and heard when it has changed", async () => {
    const { clock, state, subject, heard } = answering();
    await subject.tryAgain();
    state.isThere = false;
    subject.failed(state.error);
    await settle();
    expect(heard).toEqual([true, false]);
    expect(state.tries).toBe(2);
    for (let ms = 0; ms < 3_000; ms += 100) {
      expect(() => subject.expect()).toThrow(GranaryError);
      await clock.advance(100);
    }
    expect(state.tries).toBe(4);
    state.isThere = true;
    expect(() => subject.expect()).toThrow("does not answer");
    await settle();
    subject.expect();
    expect(heard).toEqual([true, false, true]);
  });

  test("says what is wrong now, also when that is something else than at first", async () => {
    const { clock, state, subject } = answering();
    state.isThere = false;
    await subject.tryAgain();
    state.error = new GranaryError("config-invalid", "Update this node.");
    await clock.advance(1_000);
    await subject.tryAgain();
    const refusal = { code: "fleet-unavailable", message: "Update this node." };
    expect(() => subject.expect()).toThrow(expect.objectContaining(refusal));
    expect(subject.lastError?.code).toBe("config-invalid");
  });
});
