/**
 * Owns the checksum of a request that deletes many objects. The SDK sends a CRC32 with it, which Ceph, B2 and older MinIO do not know: they
 * want the MD5 that S3 asked for first, and that every store takes. It protects against accidents only; the signature covers the body.
 */
import { createHash } from "node:crypto";

const NEWER = /^x-amz-(?:sdk-)?checksum-/i;

/** Puts the MD5 of the body into the headers of `request`, in the place of newer checksums. Leaves alone what is no request with a text as its body. */
export function setContentMd5(request: unknown): void {
  if (!isRequest(request)) return;
  for (const name of Object.keys(request.headers)) {
    if (NEWER.test(name)) delete request.headers[name];
  }
  request.headers["content-md5"] = createHash("md5").update(request.body).digest("base64");
}

type Request = { readonly headers: Record<string, string>; readonly body: string | Uint8Array };

function isRequest(value: unknown): value is Request {
  if (typeof value !== "object" || value === null || !("headers" in value) || !("body" in value))
    return false;
  return typeof value.body === "string" || value.body instanceof Uint8Array;
}
