/** Owns that an answer of the database is asked for once, is given late rather than waited for long, and outlives a database that is away. */
import { expect, test } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { Remembered } from "../../../src/fleet/view/remembered.ts";
import { FakeClock } from "../../support/fake-clock.ts";

function remembered() {
  const clock = new FakeClock();
  const asked: PromiseWithResolvers<number>[] = [];
  const ask = () => {
    const answer = Promise.withResolvers<number>();
    asked.push(answer);
    return answer.promise;
  };
  return { clock, asked, answer: new Remembered({ ask, everyMs: 1_000, clock }) };
}

test("many who look ask once, and again only when it is too old", async () => {
  const { clock, asked, answer } = remembered();
  const looks = [answer.look(500), answer.look(500)];
  asked[0]?.resolve(1);
  const at = clock.now();
  expect(await Promise.all(looks)).toEqual([
    { value: 1, at },
    { value: 1, at },
  ]);
  await clock.advance(999);
  expect(await answer.look(500)).toEqual({ value: 1, at });
  expect(asked).toHaveLength(1);
  await clock.advance(1);
  const later = answer.look(500);
  asked[1]?.resolve(2);
  expect(await later).toEqual({ value: 2, at: at + 1_000 });
});

test("nobody waits longer than they said: what was known comes, and the answer is there for the next one", async () => {
  const { clock, asked, answer } = remembered();
  const first = answer.look(500);
  await clock.advance(500);
  expect(await first).toBeUndefined();
  asked[0]?.resolve(7);
  expect(await answer.look(500)).toMatchObject({ value: 7 });
  expect(asked).toHaveLength(1);
});

test("what was known stays while the database does not answer; another failure is told", async () => {
  const { clock, asked, answer } = remembered();
  const first = answer.look(500);
  asked[0]?.resolve(1);
  const known = await first;
  await clock.advance(1_000);
  const away = answer.look(500);
  asked[1]?.reject(new GranaryError("fleet-unavailable", "It is away."));
  expect(await away).toEqual(known);
  await clock.advance(1_000);
  const broken = answer.look(500);
  asked[2]?.reject(new TypeError("A mistake of ours."));
  await expect(broken).rejects.toThrow("A mistake of ours.");
});
