/**
 * Owns the verification of everything that is stored, as a list of named steps. It reports what it found and, when told to repair, what it did
 * about that. It fetches nothing: a blob that was set aside is fetched again when a client asks for it.
 */
import { basename } from "node:path";
import { encodedOf, parseDigest } from "../../oci/digest.ts";
import { isSoundManifest } from "../../oci/manifest.ts";
import { verifyBlobs } from "./verify-blobs.ts";
import type { Finding, VerifyOptions, VerifyReport } from "./verify-report.ts";
import { checkAborted, isMeant, repaired, type VerifyParts, type VerifyRun } from "./verify-run.ts";

const STEPS: readonly { readonly name: string; run(work: VerifyRun): Promise<void> }[] = [
  { name: "add up what there is to hash", run: addUp },
  { name: "hash manifests", run: verifyManifests },
  { name: "hash blobs, and look for those that are gone", run: verifyBlobs },
];

const MANIFESTS_AT_ONCE = 50;

/** Throws `aborted` when the signal says so, `closed`, and what Metadata throws when it cannot be read. */
export async function verifyStore(parts: VerifyParts, options: VerifyOptions): Promise<VerifyReport> {
  const { from } = options;
  const findings: Finding[] = [...(from?.findings ?? [])];
  const counts = { blobs: from?.blobs ?? 0, bytes: from?.bytes ?? 0, manifests: from?.manifests ?? 0 };
  const found: VerifyRun["found"] = (kind, what, outcome = {}) =>
    findings.push({ kind, what, isRepaired: false, ...outcome });
  const place = (after: string) => options.onPlace?.({ ...counts, findings: [...findings], after });
  const work: VerifyRun = { ...parts, options, found, counts, place, done: 0, total: 0 };
  for (const { run } of STEPS) await run(work);
  options.onProgress?.({ done: work.total, total: work.total });
  const isSound = findings.every(({ kind, isRepaired }) => isRepaired || kind === "stranger");
  return { ...counts, findings: inPlaceOf(findings), isSound };
}

/** Something in the place of a missing blob is one finding, that of the blob: unlike other strangers it is moved away by a repair. */
function inPlaceOf(findings: readonly Finding[]): Finding[] {
  const places = new Map(
    findings.filter(({ kind }) => kind === "stranger").map((found) => [basename(found.what), found]),
  );
  const told = new Set<Finding>();
  const joined = findings.map((found) => {
    const other = found.kind === "missing" ? places.get(encodedOf(parseDigest(found.what))) : undefined;
    if (other === undefined) return found;
    told.add(other);
    return { ...found, reason: found.reason ?? "something else lies in its place" };
  });
  return joined.filter((found) => !told.has(found));
}

async function addUp(work: VerifyRun): Promise<void> {
  try {
    for await (const { digest, size } of work.store.list()) {
      if (!isMeant(work, digest)) continue;
      work.total += size;
      if (digest <= (work.options.from?.after ?? "")) work.done += size;
    }
  } catch {
    // It is reported when the blobs are hashed.
  }
}

async function verifyManifests(work: VerifyRun): Promise<void> {
  const { metadata, damage, options } = work;
  if (options.from !== undefined) return;
  for (let after = ""; ; ) {
    checkAborted(options.signal);
    const manifests = await metadata.manifestsAfter(after, MANIFESTS_AT_ONCE);
    for (const manifest of manifests) {
      if (!isMeant(work, manifest.digest)) after = manifest.digest;
      else if (isSoundManifest(manifest)) work.counts.manifests += 1;
      else {
        if (options.repair) damage.manifest(manifest.digest);
        await repaired(work, "damaged-manifest", manifest.digest, () =>
          metadata.forgetManifest(manifest.digest),
        );
      }
      after = manifest.digest;
    }
    if (manifests.length < MANIFESTS_AT_ONCE) return;
  }
}
