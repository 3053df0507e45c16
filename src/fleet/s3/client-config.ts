/** Owns how the AWS SDK is set up, so that SeaweedFS, versitygw, MinIO, Ceph, R2 and B2 take what it sends as Amazon does. Sends nothing. */
import type { BucketSettings } from "./bucket-settings.ts";

const CONNECT_MS = 3_000;
const CONNECTIONS = 128;
/** For a connection that breaks, and a store that has too much to do for a moment. Whoever calls tries again after longer pauses. */
const TRIES = 3;

const ignore = () => undefined;
const SILENT = { trace: ignore, debug: ignore, info: ignore, warn: ignore, error: ignore };

/** What an S3Client is made with. It holds the secret key of the settings. */
export function clientConfigOf({ endpoint, region, keys, pathStyle }: BucketSettings) {
  const agent = { keepAlive: true, maxSockets: CONNECTIONS };
  return {
    region,
    forcePathStyle: pathStyle,
    maxAttempts: TRIES,
    // The signature covers a SHA-256 of each body. Newer checksums are unknown to many stores.
    requestChecksumCalculation: "WHEN_REQUIRED",
    responseChecksumValidation: "WHEN_REQUIRED",
    // The SDK would make a connection of its own for each part that waits for a "100 Continue".
    expectContinueHeader: false,
    // Without a logger it writes to the console when connections are scarce.
    requestHandler: { connectionTimeout: CONNECT_MS, httpAgent: agent, httpsAgent: agent, logger: SILENT },
    ...(endpoint !== undefined && { endpoint }),
    ...(keys !== undefined && {
      credentials: { accessKeyId: keys.accessKey, secretAccessKey: keys.secretKey },
    }),
  } as const;
}
