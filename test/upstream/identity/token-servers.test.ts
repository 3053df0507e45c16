/** Shows when a token server counts as away, and how often it is asked for that. */
import { expect, test } from "vitest";
import { eventually } from "../../support/patience.ts";
import { startUpstream } from "../../support/start-upstream.ts";

async function startHub() {
  const { fake, client, clock } = await startUpstream({ mode: "hub" });
  const isAway = () => client.isTokenServerAway(new URL(`${fake.authUrl}/token?service=fake`));
  const asked = () => fake.matching({ origin: "auth" });
  return { fake, clock, isAway, asked };
}

test("one that answers is asked once in half a minute, whoever wants to know it, and without a login", async () => {
  const { clock, isAway, asked } = await startHub();
  expect(await Promise.all(Array.from({ length: 20 }, isAway))).not.toContain(true);
  clock.aheadMs += 29_000;
  expect(await isAway()).toBe(false);
  expect(asked()).toHaveLength(1);
  expect(asked()[0]?.headers.authorization).toBeUndefined();
  clock.aheadMs += 2_000;
  expect(await isAway()).toBe(false);
  expect(asked()).toHaveLength(2);
});

test("one failure is none; one that fails twice is away, and is found again ten seconds later", async () => {
  const { fake, clock, isAway, asked } = await startHub();
  fake.fail(/./, { kind: "status", status: 503 }, { origin: "auth", times: 1 });
  expect(await isAway()).toBe(false);
  await eventually(() => expect(asked()).toHaveLength(2));
  await eventually(async () => expect(await isAway()).toBe(false));
  clock.aheadMs += 31_000;
  fake.fail(/./, { kind: "reset" }, { origin: "auth", times: 2 });
  await eventually(async () => expect(await isAway()).toBe(true));
  expect(await isAway()).toBe(true);
  expect(asked()).toHaveLength(4);
  clock.aheadMs += 11_000;
  expect(await isAway()).toBe(false);
});

test("one that says nothing is not known to be away while it is waited for", async () => {
  const { fake, isAway } = await startHub();
  fake.fail(/./, { kind: "hang" }, { origin: "auth", times: 100 });
  expect(await isAway()).toBe(false);
});

test("an address that may not be reached tells nothing", async () => {
  const { client } = await startUpstream({ mode: "hub" });
  expect(await client.isTokenServerAway(new URL("http://169.254.169.254/token"))).toBe(false);
});
