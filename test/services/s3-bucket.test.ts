/** Tests for src/fleet/s3 against real servers: SeaweedFS and versitygw. */
import { inspect } from "node:util";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { messageOf } from "../../src/errors.ts";
import type { Bucket } from "../../src/fleet/bucket.ts";
import type { BucketSettings } from "../../src/fleet/s3/bucket-settings.ts";
import { openS3Bucket } from "../../src/fleet/s3/s3-bucket.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { bucketContract, CONTRACT_PAGE } from "../contract/bucket-contract.ts";
import { describeWithPrograms } from "../e2e/support/required-programs.ts";
import { collect } from "../support/collect.ts";
import { freePorts } from "../support/free-ports.ts";
import { patternBytes } from "../support/pattern.ts";
import type { S3Server } from "../support/services/s3-server.ts";
import { startSeaweedFs } from "../support/services/seaweedfs.ts";
import { startVersityGw } from "../support/services/versitygw.ts";

const OBSERVERS = { clock: systemClock, log: silentLog };
const SECRET = /X-Amz|Signature=|only-for-tests|\/blobs\/a/i;
const SIZE = 4 * 2 ** 20;

const STORES: readonly [string, string, () => Promise<S3Server>][] = [
  ["SeaweedFS", "weed", startSeaweedFs],
  ["versitygw", "versitygw", startVersityGw],
];

for (const [store, program, start] of STORES) {
  describeWithPrograms([program], store, () => {
    let server: S3Server;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server?.end());

    const opened = async (others: Partial<BucketSettings> = {}): Promise<Bucket> => {
      const bucket = await openS3Bucket({ ...(await server.newBucket()), ...others }, OBSERVERS);
      onTestFinished(() => bucket.close());
      return bucket;
    };

    bucketContract(store, async () => {
      const bucket = await openS3Bucket(await server.newBucket(), OBSERVERS, { pageSize: CONTRACT_PAGE });
      return { bucket, get };
    });

    test("a bucket without a prefix, and one with its own, do not see each other's objects", async () => {
      const settings = await server.newBucket();
      const [all, one] = await Promise.all(
        ["", "one/"].map((prefix) => openS3Bucket({ ...settings, prefix }, OBSERVERS)),
      );
      await one?.put("blobs/a", patternBytes(1, 0, 10));
      expect((await collect(one?.list("") ?? none())).map(({ key }) => key)).toEqual(["blobs/a"]);
      expect((await collect(all?.list("blobs/") ?? none())).map(({ key }) => key)).toEqual([]);
      expect((await collect(all?.list("") ?? none())).map(({ key }) => key)).toEqual(["one/blobs/a"]);
      await Promise.all([all?.close(), one?.close()]);
    });

    test("a wrong login, a wrong bucket and a store that is away are told apart, without a secret", async () => {
      const keys = { accessKey: server.keys.accessKey, secretKey: "only-for-tests-and-wrong" };
      const [port] = await freePorts(1);
      const cases: [Partial<BucketSettings>, RegExp][] = [
        [{ keys }, /refuses the fleet's login \(403 SignatureDoesNotMatch\); correct the keys/],
        [
          { keys: { ...keys, accessKey: "nobody" } },
          /refuses the fleet's login \(40\d \w+\); correct the keys/,
        ],
        [{ name: "not-there" }, /has no bucket "not-there"; make the bucket/],
        [{ endpoint: `http://127.0.0.1:${port}` }, /does not answer \(ECONNREFUSED\); see whether it runs/],
      ];
      for (const [others, message] of cases) {
        const bucket = await opened(others);
        const ways = [
          () => bucket.check(),
          () => bucket.open("blobs/a", { start: 0, end: 1 }, new AbortController().signal),
          () => collect(bucket.list("")),
          () => bucket.begin("blobs/a"),
        ];
        for (const ask of ways) {
          const error = await failureOf(ask());
          expect(error).toMatchObject({ code: "fleet-unavailable" });
          expect(messageOf(error)).toMatch(message);
          expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(SECRET);
        }
      }
    });

    test("a store that stops answers no more, and its objects are there when it is back", async () => {
      const bucket = await opened();
      await bucket.put("blobs/a", patternBytes(2, 0, SIZE));
      const uploadId = await bucket.begin("blobs/b");
      const part = await bucket.putPart("blobs/b", uploadId, 1, patternBytes(3, 0, SIZE));
      await server.stop();
      await expect(bucket.head("blobs/a")).rejects.toMatchObject({ code: "fleet-unavailable" });
      const read = bucket.open("blobs/a", { start: 0, end: 1 }, new AbortController().signal);
      await expect(read).rejects.toMatchObject({ code: "fleet-unavailable" });
      const put = bucket.putPart("blobs/b", uploadId, 2, patternBytes(3, 0, SIZE));
      await expect(put).rejects.toMatchObject({ code: "fleet-unavailable" });
      await server.start();
      expect(await bucket.head("blobs/a")).toEqual({ size: SIZE });
      expect(await bucket.parts("blobs/b", uploadId)).toEqual([part]);
      expect(await bucket.complete("blobs/b", uploadId, part === undefined ? [] : [part])).toBe(true);
    });

    test("a store that hangs is given up, in the middle of a body too", async () => {
      const bucket = await opened();
      await bucket.put("blobs/a", patternBytes(4, 0, 8 * SIZE));
      const whole = { start: 0, end: 8 * SIZE };
      const body = (await bucket.open("blobs/a", whole, new AbortController().signal))?.body;
      onTestFinished(() => server.thaw());
      await server.freeze();
      const begun = performance.now();
      const reading = (async () => {
        for await (const _ of body ?? []);
      })();
      await Promise.all([
        expect(bucket.head("blobs/a")).rejects.toThrow(/does not answer \(nothing within 10 s\)/),
        expect(bucket.open("blobs/a", whole, new AbortController().signal)).rejects.toThrow(
          /UND_ERR_HEADERS_TIMEOUT/,
        ),
        expect(reading).rejects.toThrow(/UND_ERR_BODY_TIMEOUT/),
      ]);
      expect(performance.now() - begun).toBeLessThan(60_000);
      server.thaw();
      expect(await bucket.head("blobs/a")).toEqual({ size: 8 * SIZE });
    });
  });
}

async function get(url: string) {
  const answer = await fetch(url);
  return { status: answer.status, bytes: Buffer.from(await answer.arrayBuffer()) };
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function* none(): AsyncGenerator<never, void, undefined> {}
