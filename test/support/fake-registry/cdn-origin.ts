/**
 * Owns the CDN origin of the fake: signed, expiring URLs with ranges. It refuses any Authorization, as R2 does
 * (docs/protocol.md#docker-hub-blobs), and speaks S3's XML.
 */
import { createHmac, randomBytes } from "node:crypto";
import type { RequestRecord } from "./account.ts";
import type { Contents } from "./contents.ts";
import { rangedReply } from "./ranged-reply.ts";
import { type Reply, textReply } from "./send-reply.ts";

const SECRET = randomBytes(16);

/** Path and query of a URL that works until `expiresAt` (epoch ms of the fake's clock). */
export function signPath(digest: string, expiresAt: number): string {
  return `/blobs/${digest}?expires=${expiresAt}&signature=${signatureOf(digest, String(expiresAt))}`;
}

export function answerCdn(record: RequestRecord, contents: Contents, now: number): Reply {
  if (record.headers.authorization !== undefined) {
    return xml(400, "InvalidRequest", "Missing x-amz-content-sha256");
  }
  const digest = record.reference ?? "";
  const expires = record.query.get("expires") ?? "";
  if (record.query.get("signature") !== signatureOf(digest, expires)) {
    return xml(403, "SignatureDoesNotMatch", "The request signature we calculated does not match");
  }
  if (Number(expires) <= now) return xml(403, "AccessDenied", "Request has expired");
  const content = contents.blobs.get(digest);
  if (content === undefined) return xml(404, "NoSuchKey", "The specified key does not exist.");
  return rangedReply(content, record.headers, { etag: `"${digest.slice(-32)}"` });
}

function signatureOf(digest: string, expires: string): string {
  return createHmac("sha256", SECRET).update(`${digest} ${expires}`).digest("hex");
}

function xml(status: number, code: string, message: string): Reply {
  const text = `<?xml version="1.0" encoding="UTF-8"?><Error><Code>${code}</Code><Message>${message}</Message></Error>`;
  return textReply(status, text, { "content-type": "application/xml" });
}
