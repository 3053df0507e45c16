/** Tests for the logins of src/fleet/s3: keys of the settings, or what the AWS SDK finds; signed addresses never outlive them. */
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { Bucket } from "../../../src/fleet/bucket.ts";
import type { BucketSettings } from "../../../src/fleet/s3/bucket-settings.ts";
import { openS3Bucket } from "../../../src/fleet/s3/s3-bucket.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const MINUTE = 60_000;

/** Nothing of this machine's own logins, and no question to the network about its role. */
beforeEach(async () => {
  const home = await tempDirectory();
  for (const name of Object.keys(process.env).filter((each) => each.startsWith("AWS_")))
    vi.stubEnv(name, undefined);
  vi.stubEnv("AWS_EC2_METADATA_DISABLED", "true");
  vi.stubEnv("AWS_SHARED_CREDENTIALS_FILE", `${home}/credentials`);
  vi.stubEnv("AWS_CONFIG_FILE", `${home}/config`);
});
afterEach(() => vi.unstubAllEnvs());

test("a signed address lasts as long as was asked, and a week at most", async () => {
  const bucket = await opened({ accessKey: "AKIDEXAMPLE", secretKey: "secret" });
  const began = Date.now();
  for (const [asked, lasts] of [
    [10 * MINUTE, 10 * MINUTE],
    [30 * 86_400_000, 7 * 86_400_000],
  ] as const) {
    const { url, expiresAt } = await bucket.sign("blobs/a b", asked);
    expect(expiresAt).toBeGreaterThan(began + lasts - 2_000);
    expect(expiresAt).toBeLessThanOrEqual(Date.now() + lasts);
    const { origin, pathname, searchParams } = new URL(url);
    expect(`${origin}${pathname}`).toBe("http://127.0.0.1:9/shelf/fleet/blobs/a%20b");
    expect(searchParams.get("X-Amz-Expires")).toBe(String(lasts / 1_000));
    expect(url).not.toContain("secret");
  }
});

test("a signed address ends with a login that lasts shorter", async () => {
  const endsAt = Date.now() + 7 * MINUTE;
  vi.stubEnv("AWS_ACCESS_KEY_ID", "ASIAEXAMPLE");
  vi.stubEnv("AWS_SECRET_ACCESS_KEY", "secret");
  vi.stubEnv("AWS_SESSION_TOKEN", "session");
  vi.stubEnv("AWS_CREDENTIAL_EXPIRATION", new Date(endsAt).toISOString());
  const bucket = await opened(undefined);
  const { expiresAt } = await bucket.sign("blobs/a", 60 * MINUTE);
  expect(expiresAt).toBeLessThanOrEqual(endsAt);
  expect(expiresAt).toBeGreaterThan(endsAt - 2_000);
});

test("a machine without any login is told to have one", async () => {
  const bucket = await opened(undefined);
  const message =
    /no login for the fleet's bucket was found; set its keys, or give this machine a profile or a role/;
  await expect(bucket.head("blobs/a")).rejects.toThrow(message);
  await expect(bucket.sign("blobs/a", MINUTE)).rejects.toThrow(message);
  await expect(bucket.head("blobs/a")).rejects.toMatchObject({ code: "fleet-unavailable" });
});

async function opened(keys: BucketSettings["keys"]): Promise<Bucket> {
  const endpoint = "http://127.0.0.1:9";
  const settings = { endpoint, region: "us-east-1", name: "shelf", prefix: "fleet/", keys, pathStyle: true };
  const bucket = await openS3Bucket(settings, { clock: systemClock, log: silentLog });
  onTestFinished(() => bucket.close());
  return bucket;
}
