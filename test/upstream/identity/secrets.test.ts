/** Owns the grep test for secrets: after a run with everything going wrong, none is in a log, a metric or an error. */
import { pino } from "pino";
import { expect, it } from "vitest";
import { readRange } from "../../support/read-range.ts";
import { askFor, clientOf, LeapingClock, startFake } from "../../support/start-upstream.ts";

const PASSWORD = "wonderland-s3cret";

const alice = { username: "alice", password: PASSWORD };
const identity = { identityToken: "refresh-s3cret" };
const BASIC = Buffer.from(`alice:${PASSWORD}`).toString("base64");

it.each([
  ["passwords", alice, BASIC],
  ["identity tokens", identity, identity.identityToken],
])("keeps %s, tokens and signed queries out of logs, metrics and errors", async (_, credentials, sent) => {
  const written: string[] = [];
  const log = pino({ level: "trace" }, { write: (line: string) => written.push(line) });
  const fake = await startFake({
    mode: "hub",
    settings: { users: { alice: PASSWORD }, identityTokens: { [identity.identityToken]: "alice" } },
  });
  const digest = fake.addGeneratedBlob({ seed: 5, size: 100_000 });
  fake.addImage("library/alpine", "latest", { layers: [10] });
  // Leaping: in the end the registry is away, and what waits for it need not be waited for here.
  const { client, metrics } = clientOf(fake, { credentials }, { log, clock: new LeapingClock() });
  const origin = client.blobOrigin("library/alpine", digest);
  const ask = askFor("library/alpine", "latest");
  const attempts = [() => client.getManifest(ask), () => readRange(origin, { start: 0, end: 1000 })];

  const faults = [
    { kind: "cut", afterBytes: 10 },
    { kind: "headers", headers: { "content-range": "bytes 7-9/10", "content-length": "3" } },
    { kind: "gzip" },
    { kind: "status", status: 403, body: "no" },
    { kind: "status", status: 418 },
    { kind: "redirect", location: `${fake.cdnUrl}/x?signature=s1gned-query&a=b` },
    { kind: "redirect", location: "http://169.254.169.254/x?signature=s1gned-query" },
    { kind: "redirect", location: "ftp://alice:l0cation-secret@host/x?signature=s1gned-query" },
    { kind: "redirect-loop" },
    { kind: "rate-limited", retryAfter: "0" },
  ] as const;
  for (const fault of faults) {
    for (const origin of ["registry", "cdn", "auth"] as const) {
      for (const attempt of attempts) {
        fake.faults.push({ match: /./, origin, times: 3, fault });
        await attempt().catch((error: unknown) => written.push(everythingIn(error)));
        fake.faults.length = 0;
        if (origin === "auth") fake.revokeTokens();
      }
    }
  }
  await fake.pause();
  await client.getManifest(ask).catch((error: unknown) => written.push(everythingIn(error)));
  written.push(await metrics.registry.metrics(), JSON.stringify(client.status()));

  const text = written.join("\n");
  expect(text.length).toBeGreaterThan(10_000);
  expect(text).toContain("/v2/library/alpine/manifests/latest");
  expect(text).toContain(`/blobs/${digest}`);
  const used = fake.requests.flatMap(({ headers, form }) => [
    ...(headers.authorization?.split(" ").slice(1, 2) ?? []),
    ...(form?.getAll("refresh_token") ?? []),
  ]);
  expect(used).toContain(sent);
  expect(used.some((secret) => secret.includes("fake-token-"))).toBe(true);
  for (const secret of [
    PASSWORD,
    "s1gned-query",
    "l0cation-secret",
    "signature=",
    "expires=",
    "account=",
    ...used,
  ]) {
    expect(text).not.toContain(secret);
  }
});

/** Message, facts, stack and causes: all that a log line or an error page could show. */
function everythingIn(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const facts = "facts" in error ? JSON.stringify(error.facts) : "";
  return [error.stack, facts, error.cause === undefined ? "" : everythingIn(error.cause)].join("\n");
}
