/**
 * A lane whose claim is cut while its body comes: it stops there, but what has come already is kept, as far as nobody else has it, because it
 * would have to cross the line again (F6).
 */
import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { Claims } from "../../src/fill/claims.ts";
import { streamClaim } from "../../src/fill/lane.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { parseDigest } from "../../src/oci/digest.ts";
import type { Origin } from "../../src/origin.ts";
import { MeasuredBody } from "../../src/upstream/network/measured-body.ts";

const KIB = 1024;
const MIB = 1024 * KIB;
const BLOB = { digest: parseDigest(`sha256:${"0".repeat(64)}`), size: 8 * MIB };

/** Streams a claim of 1 MiB that is cut at 100 KiB when its first bytes come. All of `came` bytes are here by then. */
async function streamCut(came: number, nextClaimAt = MIB) {
  const claims = new Claims();
  const claim = claims.take({ start: 0, end: MIB }, 0);
  const stream = new PassThrough({ highWaterMark: 16 * MIB });
  const body = new MeasuredBody({
    ...{ stream, length: MIB, doing: "GET", count: () => undefined },
    toError: (cause) => new GranaryError("upstream-unavailable", "It broke.", { cause }),
  });
  const origin: Origin = {
    name: "test",
    open: async (range) => {
      for (let sent = 0; sent < came; sent += 50 * KIB) stream.write(Buffer.alloc(50 * KIB, 7));
      return {
        ...{ range, size: BLOB.size, rangeBlind: false, body },
        hasArrived: () => body.hasArrived,
        dismiss: () => body.dismiss(),
      };
    },
    strike: () => undefined,
  };
  stream.once("data", () => {
    claim.shrink(100 * KIB);
    if (nextClaimAt < MIB) claims.take({ start: nextClaimAt, end: MIB }, 0);
  });
  let written = 0;
  await streamClaim({
    ...{ blob: BLOB, origin, claim, clock: systemClock, signal: new AbortController().signal },
    wantedFor: { purpose: "waited" },
    write: async (_offset, chunks) => {
      for (const { length } of chunks) written += length;
    },
    arrived: () => undefined,
    goBlind: async () => false,
    widen: (end) => claims.widen(claim, end),
  });
  expect(stream.destroyed).toBe(true);
  expect(written).toBe(claim.at);
  return claim.at;
}

test("F6: a lane that was cut keeps what has come already beyond its end", async () => {
  expect(await streamCut(450 * KIB)).toBe(450 * KIB);
});

test("F6: what another lane fetches beyond the end of a lane that was cut is left to that one", async () => {
  expect(await streamCut(450 * KIB, 220 * KIB)).toBe(220 * KIB);
  expect(await streamCut(450 * KIB, 100 * KIB)).toBe(100 * KIB);
});

test("a lane that was cut waits for nothing beyond its end", async () => {
  expect(await streamCut(100 * KIB)).toBe(100 * KIB);
});
