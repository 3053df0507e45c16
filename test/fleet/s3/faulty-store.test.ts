/** Tests for src/fleet/s3 against stores that answer wrongly: none of it is taken for an object, and no secret gets into what is said of it. */
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { PassThrough } from "node:stream";
import { inspect } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import { messageOf } from "../../../src/errors.ts";
import type { Bucket } from "../../../src/fleet/bucket.ts";
import { openS3Bucket } from "../../../src/fleet/s3/s3-bucket.ts";
import { systemClock } from "../../../src/observe/clock.ts";
import { createLog, type Log, silentLog } from "../../../src/observe/log.ts";
import { collect } from "../../support/collect.ts";

const KEYS = { accessKey: "AKIDEXAMPLE", secretKey: "a-very-secret-key" };
const SECRETS = /X-Amz-|a-very-secret|blobs\/secret-name/i;
const RANGE = { start: 10, end: 20 };
const TEN = "0123456789";

test.each<[string, RequestListener, RegExp]>([
  [
    "another range than was asked for",
    (_, answer) => answer.writeHead(206, { "content-range": "bytes 0-9/100", "content-length": 10 }).end(TEN),
    /did not answer with \[10, 20\)/,
  ],
  [
    "a shorter range than was asked for",
    (_, answer) =>
      answer.writeHead(206, { "content-range": "bytes 10-14/100", "content-length": 5 }).end("01234"),
    /did not answer with \[10, 20\)/,
  ],
  [
    "no Content-Range",
    (_, answer) => answer.writeHead(206, { "content-length": 10 }).end(TEN),
    /did not answer with \[10, 20\)/,
  ],
  [
    "the whole object",
    (_, answer) => answer.writeHead(200, { "content-length": 100 }).end(TEN.repeat(10)),
    /answered the whole object where \[10, 20\) was asked for/,
  ],
  [
    "another length",
    (_, answer) =>
      answer.writeHead(206, { "content-range": "bytes 10-19/100", "content-length": 9 }).end("012345678"),
    /answered 9 bytes for the 10 of \[10, 20\)/,
  ],
  [
    "fewer bytes, without a length",
    (_, answer) => answer.writeHead(206, { "content-range": "bytes 10-19/100" }).end("01234"),
    /sent 5 of the 10 bytes/,
  ],
  [
    "more bytes, without a length",
    (_, answer) => answer.writeHead(206, { "content-range": "bytes 10-19/100" }).end(`${TEN}x`),
    /sent more than the 10 bytes/,
  ],
  [
    "a broken body",
    (_, answer) => {
      answer.writeHead(206, { "content-range": "bytes 10-19/100", "content-length": 10 }).write("01234");
      setImmediate(() => answer.destroy());
    },
    /does not answer \(UND_ERR_SOCKET\)/,
  ],
  [
    "a redirect",
    (_, answer) => answer.writeHead(307, { location: "http://127.0.0.1:1/elsewhere" }).end(),
    /is not served at 127\.0\.0\.1:\d+ in this way \(307\); correct its region/,
  ],
  [
    "a page of a proxy",
    (_, answer) => answer.writeHead(404, { "content-type": "text/html" }).end("<html>not here</html>"),
    /answered 404; see what its log says/,
  ],
  [
    "no such bucket",
    (_, answer) => answer.writeHead(404).end("<Error><Code>NoSuchBucket</Code></Error>"),
    /has no bucket "shelf"; make the bucket/,
  ],
  [
    "no right to read",
    (_, answer) => answer.writeHead(403).end("<Error><Code>AccessDenied</Code></Error>"),
    /does not let this login do that in the bucket "shelf" \(403 AccessDenied\); let it read/,
  ],
  [
    "another time",
    (_, answer) => answer.writeHead(403).end("<Error><Code>RequestTimeTooSkewed</Code></Error>"),
    /has another time than this machine/,
  ],
  [
    "a refusal that quotes the request",
    (request, answer) =>
      answer
        .writeHead(400)
        .end(`<Error><Code>${request.url}</Code><Message>${request.url}</Message></Error>`),
    /answered 400; see what its log says/,
  ],
])("a store that answers a read with %s is told as a fault of it", async (_, listener, message) => {
  const lines: string[] = [];
  const log = createLog(
    { level: "trace", format: "json" },
    new PassThrough().on("data", (line) => lines.push(String(line))),
  );
  const bucket = await bucketAt(listener, log);
  const reading = (async () => {
    const opened = await bucket.open("blobs/secret-name", RANGE, new AbortController().signal);
    return await collect(opened?.body ?? nothing());
  })();
  const error = await failureOf(reading);
  expect(error).toMatchObject({ code: "fleet-unavailable" });
  expect(messageOf(error)).toMatch(message);
  expect(inspect(error, { depth: 10, showHidden: true })).not.toMatch(SECRETS);
  expect(lines.join("")).not.toMatch(SECRETS);
});

test("a store that ignores the range of an object that is wanted from its beginning is believed", async () => {
  const bucket = await bucketAt((_, answer) => answer.writeHead(200, { "content-length": 10 }).end(TEN));
  const opened = await bucket.open("key", { start: 0, end: 50 }, new AbortController().signal);
  expect(opened).toMatchObject({ range: { start: 0, end: 10 }, size: 10 });
  expect(Buffer.concat(await collect(opened?.body ?? nothing())).toString()).toBe(TEN);
});

test("a connection that the store has closed meanwhile costs nothing but a new one", async () => {
  let isFirst = true;
  const bucket = await bucketAt((request, answer) => {
    if (isFirst) request.socket.destroy();
    else answer.writeHead(206, { "content-range": "bytes 10-19/100", "content-length": 10 }).end(TEN);
    isFirst = false;
  });
  const opened = await bucket.open("key", RANGE, new AbortController().signal);
  expect(Buffer.concat(await collect(opened?.body ?? nothing())).toString()).toBe(TEN);
});

test("an answer 200 with an error in it completes nothing", async () => {
  const bucket = await bucketAt((request, answer) => {
    if (request.method === "HEAD") answer.writeHead(404).end();
    else answer.writeHead(200).end("\n\n<Error><Code>InternalError</Code><Message>again</Message></Error>");
  });
  const part = { number: 1, etag: '"x"', size: 10 };
  await expect(bucket.complete("key", "id", [part])).rejects.toMatchObject({ code: "fleet-unavailable" });
});

test("an upload that is gone ends its parts, also where its answer is lost with the connection", async () => {
  const bucket = await bucketAt((request, answer) => {
    if (request.method === "PUT") request.socket.destroy();
    else answer.writeHead(404).end("<Error><Code>NoSuchUpload</Code></Error>");
  });
  expect(await bucket.putPart("key", "id", 1, new Uint8Array(1_000_000))).toBeUndefined();
  expect(await bucket.parts("key", "id")).toBeUndefined();
});

test("a store that cannot delete some of what it was told to says so", async () => {
  const bucket = await bucketAt((_, answer) => {
    const error = (key: string, code: string) => `<Error><Key>${key}</Key><Code>${code}</Code></Error>`;
    answer.writeHead(200, { "content-type": "application/xml" });
    answer.end(
      `<DeleteResult>${error("a", "NoSuchKey")}${error("blobs/secret-name", "AccessDenied")}</DeleteResult>`,
    );
  });
  const error = await failureOf(bucket.remove(["a", "blobs/secret-name"]));
  expect(messageOf(error)).toMatch(
    /delete objects from the fleet's bucket \(1 of them\).*\(200 AccessDenied\); let it read, write, list and delete/,
  );
  expect(messageOf(error)).not.toMatch(SECRETS);
});

test("a list that never ends is not read for ever", async () => {
  const page = "<IsTruncated>true</IsTruncated><NextContinuationToken>again</NextContinuationToken>";
  const bucket = await bucketAt((_, answer) =>
    answer.writeHead(200).end(`<ListBucketResult>${page}</ListBucketResult>`),
  );
  await expect(collect(bucket.list(""))).rejects.toThrow(/did not say where its list goes on/);
});

test("a bucket that was closed is asked nothing more", async () => {
  const bucket = await bucketAt((_, answer) => answer.writeHead(404).end());
  await bucket.close();
  await expect(bucket.head("key")).rejects.toMatchObject({ code: "closed" });
  await expect(bucket.open("key", RANGE, new AbortController().signal)).rejects.toMatchObject({
    code: "closed",
  });
});

test("an endpoint that is no address is refused at once", async () => {
  const settings = { region: "us-east-1", name: "shelf", prefix: "", keys: KEYS, pathStyle: true };
  const observers = { clock: systemClock, log: silentLog };
  for (const endpoint of ["minio:9000", "ftp://minio", "not an address"]) {
    const opening = openS3Bucket({ ...settings, endpoint }, observers);
    await expect(opening).rejects.toMatchObject({ code: "config-invalid" });
  }
});

/** The bucket "shelf" of a store that answers as `listener` says. */
async function bucketAt(listener: RequestListener, log: Log = silentLog): Promise<Bucket> {
  const server = createServer((request, answer) => {
    request.on("error", () => undefined).resume();
    listener(request, answer);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const settings = { endpoint, region: "us-east-1", name: "shelf", prefix: "", keys: KEYS, pathStyle: true };
  const bucket = await openS3Bucket(settings, { clock: systemClock, log });
  onTestFinished(async () => {
    await bucket.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return bucket;
}

async function failureOf(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  );
}

async function* nothing(): AsyncGenerator<Uint8Array, void, undefined> {}
