/** Shows how a browser logs in to the admin face, what its cookie is worth, and how those are slowed down who try tokens. */
import { expect, test } from "vitest";
import { FailedLogins } from "../../../src/http/admin/guards/failed-logins.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { eventually } from "../../support/patience.ts";
import { startAdmin, TOKEN } from "./admin-world.ts";

const PAGE = { accept: "text/html" };
const FORM = { "content-type": "application/x-www-form-urlencoded" };

/** What a browser sends back. */
function cookieOf(headers: NodeJS.Dict<string | string[]>): string {
  return String(headers["set-cookie"]).split(";")[0] ?? "";
}

test("the link of the log logs a browser in, and the token stands in no place after that", async () => {
  const admin = await startAdmin({ token: TOKEN });
  expect(await admin.ask("/", { headers: PAGE })).toMatchObject({
    status: 303,
    headers: { location: "/login" },
  });
  const answer = await admin.ask(`/login?token=${TOKEN}`, { headers: PAGE });
  expect(answer.status).toBe(200);
  expect(answer.text).toContain('content="0;url=/"');
  expect(answer.headers["referrer-policy"]).toBe("no-referrer");
  expect(answer.text + String(answer.headers["set-cookie"])).not.toContain(TOKEN);
  expect(answer.headers["set-cookie"]).toEqual([
    expect.stringMatching(
      new RegExp(`^granary-${admin.port}=\\S+; Max-Age=2592000; Path=/; HttpOnly; SameSite=Strict$`),
    ),
  ]);
  const cookie = cookieOf(answer.headers);
  expect(await admin.ask("/api/v1/openapi.json", { headers: { cookie } })).toMatchObject({ status: 200 });
});

test("the form takes the token, and says when it is wrong", async () => {
  const admin = await startAdmin({ token: TOKEN });
  const form = await admin.ask("/login");
  expect(form.text).toContain('<form method="post" action="/login">');
  const post = (body: string) => admin.ask("/login", { method: "POST", headers: FORM, body });
  const wrong = await post("token=wrong");
  expect(wrong.status).toBe(401);
  expect(wrong.text).toContain("This is not the token of this Granary.");
  expect(wrong.headers["set-cookie"]).toBeUndefined();
  expect((await post("")).status).toBe(401);
  expect((await post(`token=${"x".repeat(20_000)}`)).status).toBe(413);
  const right = await post(`token=%20${TOKEN}%0A`);
  expect(right.status).toBe(200);
  const cookie = cookieOf(right.headers);
  expect(await admin.ask("/api/v1/openapi.json", { headers: { cookie } })).toMatchObject({ status: 200 });
  const out = await admin.ask("/logout", { method: "POST", headers: { cookie } });
  expect(out.headers["set-cookie"]).toEqual([expect.stringContaining("Max-Age=0")]);
});

test("a browser can send the form: with a policy of no-referrer it would say that it comes from nowhere", async () => {
  const admin = await startAdmin({ token: TOKEN });
  expect((await admin.ask("/login")).headers["referrer-policy"]).toBe("same-origin");
  const origin = `http://127.0.0.1:${admin.port}`;
  const headers = { ...FORM, origin, host: `127.0.0.1:${admin.port}`, "sec-fetch-site": "same-origin" };
  const right = await admin.ask("/login", { method: "POST", headers, body: `token=${TOKEN}` });
  expect([right.status, String(right.headers["set-cookie"])]).toEqual([
    200,
    expect.not.stringContaining("Secure"),
  ]);
});

test("behind https the cookie goes over nothing else", async () => {
  const admin = await startAdmin({ token: TOKEN });
  const byLink = await admin.ask(`/login?token=${TOKEN}`, { headers: { "x-forwarded-proto": "https" } });
  expect(String(byLink.headers["set-cookie"])).toContain("; Secure");
  const headers = { ...FORM, origin: "https://127.0.0.1", host: "127.0.0.1" };
  const byForm = await admin.ask("/login", { method: "POST", headers, body: `token=${TOKEN}` });
  expect(String(byForm.headers["set-cookie"])).toContain("; Secure");
});

test("another site's page cannot log a browser in or out", async () => {
  const admin = await startAdmin({ token: TOKEN });
  const headers = { ...FORM, origin: "https://evil.test" };
  for (const target of ["/login", "/logout"]) {
    const answer = await admin.ask(target, { method: "POST", headers, body: `token=${TOKEN}` });
    expect([answer.status, answer.headers["set-cookie"]]).toEqual([403, undefined]);
  }
});

test("where no token is asked for, there is nothing to log in to", async () => {
  const admin = await startAdmin();
  expect(await admin.ask("/login")).toMatchObject({ status: 303, headers: { location: "/" } });
});

test("a cookie ends with its time, and with the token that it was made from", async () => {
  const clock = new FakeClock();
  const admin = await startAdmin({ token: TOKEN, clock });
  const cookie = cookieOf((await admin.ask(`/login?token=${TOKEN}`)).headers);
  const status = async () => (await admin.ask("/api/v1/openapi.json", { headers: { cookie } })).status;
  expect(await status()).toBe(200);
  admin.renew({ token: `${TOKEN}-new`, view: "token", hosts: [] });
  expect(await status()).toBe(401);
  admin.renew({ token: TOKEN, view: "token", hosts: [] });
  expect(await status()).toBe(200);
  await clock.advance(31 * 86_400_000);
  expect(await status()).toBe(401);
});

test("a wrong token is answered late, and a right one at once while others fail", async () => {
  const clock = new FakeClock();
  const admin = await startAdmin({ token: TOKEN, clock });
  const bearer = (token: string) =>
    admin.ask("/api/v1/openapi.json", { headers: { authorization: `Bearer ${token}` } });
  let told = 0;
  const wrong = Array.from({ length: 30 }, () => bearer("wrong").then(() => told++));
  await eventually(async () => expect(clock.timers).toBeGreaterThanOrEqual(30));
  expect(told).toBe(0);
  expect((await bearer(TOKEN)).status).toBe(200);
  await clock.advance(1_000);
  await Promise.all(wrong);
  expect(told).toBe(30);
});

test("where the token could be guessed, an address that fails often waits; a browser that is logged in does not", async () => {
  const clock = new FakeClock();
  const short = "sixteen-letters-";
  const admin = await startAdmin({ token: short, clock });
  const cookie = cookieOf((await admin.ask(`/login?token=${short}`)).headers);
  const ask = (headers: Record<string, string>) => admin.ask("/api/v1/openapi.json", { headers });
  const failures = Array.from({ length: 11 }, () => ask({ authorization: "Bearer wrong" }));
  await eventually(async () => expect(clock.timers).toBeGreaterThanOrEqual(11));
  await clock.advance(1_000);
  await Promise.all(failures);
  const blocked = await ask({ authorization: `Bearer ${short}` });
  expect([blocked.status, blocked.json?.error?.code]).toEqual([429, "rate-limited"]);
  expect(Number(blocked.headers["retry-after"])).toBeGreaterThan(0);
  expect((await ask({ cookie })).status).toBe(200);
  await clock.advance(60_000);
  expect((await ask({ authorization: `Bearer ${short}` })).status).toBe(200);
});

test("failures of one address cost nobody at another one anything", async () => {
  const clock = new FakeClock();
  const failed = new FailedLogins(clock);
  for (let count = 0; count < 1_000; count++) void failed.failed("192.0.2.1");
  for (let count = 0; count < 1_000; count++) void failed.failed(`2001:db8::${count.toString(16)}`);
  expect(failed.blockedMs("192.0.2.1")).toBeGreaterThan(0);
  expect(failed.blockedMs("2001:db8::ffff")).toBeGreaterThan(0);
  expect(failed.blockedMs("192.0.2.2")).toBe(0);
  expect(failed.blockedMs("2001:db8:1::1")).toBe(0);
});
