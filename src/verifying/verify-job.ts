/**
 * Owns the job kind "verify": everything that is stored, or what a pattern names, is read and compared with its digest at a polite rate; what is
 * wrong is set aside and fetched anew when the job was told to repair. It goes on after a restart where it was.
 */
import type { JobRecord } from "../jobs/job.ts";
import type { JobControls, JobKind } from "../jobs/job-kind.ts";
import type { Mirror } from "../mirror/mirror.ts";
import type { Finding, FindingKind, VerifyPlace, VerifyReport } from "../mirror/upkeep/verify-report.ts";
import type { Clock } from "../observe/clock.ts";
import { isDigest } from "../oci/digest.ts";
import { asObject, objects, textOf } from "../oci/json-value.ts";
import { type NamePattern, parsePattern } from "../routing/name-pattern.ts";
import type { RoutedUpstream } from "../routing/routing.ts";
import { storedPattern } from "../routing/stored-pattern.ts";
import type { WarmMirror } from "../warm/warm-mirror.ts";
import { fetchAnew } from "./fetch-anew.ts";
import { type ContentQuestions, meantBy, nothingNamed } from "./meant-by.ts";

export const VERIFY_JOB = "verify";

type VerifyAsk = {
  readonly repair: boolean;
  readonly pattern?: string;
  /** `pattern` was read with what is stored in mind, and is its canonical text: its upstream may have left the settings. */
  readonly isCanonical?: boolean;
};

/** The report of a job: bounded, and with what was fetched anew. */
type VerifyResult = VerifyReport & {
  /** Blobs that were set aside or gone, and are here again. */
  readonly fetched: number;
  /** Findings that are not among `findings`. */
  readonly leftOut: number;
};

export type VerifyJobParts = {
  readonly mirror: Pick<Mirror, "verify"> & WarmMirror;
  readonly contents: ContentQuestions;
  readonly clock: Clock;
  readonly upstreams: () => Iterable<RoutedUpstream>;
  /** No server runs: nothing is fetched. */
  readonly isAtRest: boolean;
};

/** Blobs that are not here any more once they were repaired. */
const FETCHED: readonly FindingKind[] = ["damaged-blob", "wrong-size", "unreadable", "missing"];
const MOST_FINDINGS = 1_000;
const REASON_CHARACTERS = 200;
/** The place is written to the database now and then; a restart does what came after it again. */
const REMEMBER_MS = 5_000;

export function verifyJob(parts: VerifyJobParts): JobKind<VerifyAsk> {
  return {
    name: VERIFY_JOB,
    canResume: true,
    parse: (input) => parseAsk(input, parts.upstreams()),
    contradicts,
    work: (ask, controls) => verify(parts, ask, controls),
  };
}

export function titleOfVerify({ repair, pattern }: VerifyAsk): string {
  return `verify ${pattern ?? "everything that is stored"}${repair ? " and repair it" : ""}`;
}

function parseAsk(input: unknown, upstreams: Iterable<RoutedUpstream>): VerifyAsk {
  const fields = asObject(input);
  const [repair, isCanonical] = [fields?.repair === true, fields?.isCanonical === true];
  const pattern = textOf(fields?.pattern);
  if (pattern === undefined) return { repair };
  patternOf(pattern, isCanonical, upstreams);
  return { repair, pattern, isCanonical };
}

/** Throws `reference-invalid`, `route-unknown`. */
function patternOf(text: string, isCanonical: boolean, upstreams: Iterable<RoutedUpstream>): NamePattern {
  const known = [...upstreams];
  return (isCanonical ? storedPattern(text, known) : undefined) ?? parsePattern(text, known);
}

/** Two would read everything twice, and repair the same. */
function contradicts(_: VerifyAsk, running: readonly JobRecord[]): string | undefined {
  const other = running.find(({ kind }) => kind === VERIFY_JOB);
  return (
    other &&
    `Job ${other.id} (${other.title}) reads the disk already: wait for it, or stop it with granary jobs stop ${other.id}.`
  );
}

async function verify(
  { mirror, contents, clock, upstreams, isAtRest }: VerifyJobParts,
  { repair, pattern: text, isCanonical = false }: VerifyAsk,
  { signal, progress, remember, remembered }: JobControls,
): Promise<VerifyResult> {
  const pattern = text === undefined ? undefined : patternOf(text, isCanonical, upstreams());
  const meant = pattern === undefined ? undefined : await meantBy(contents, pattern);
  const from = placeOf(remembered);
  let toldAt = clock.elapsed();
  const report = await mirror.verify({
    ...{ repair, signal },
    ...(meant !== undefined && { isMeant: meant }),
    ...(from !== undefined && { from }),
    onProgress: (bytes) => progress({ bytes, things: { done: 0, total: 0 } }),
    onPlace: (place) => {
      if (clock.elapsed() - toldAt < REMEMBER_MS) return;
      toldAt = clock.elapsed();
      remember({ ...place, findings: bounded(place.findings) });
    },
  });
  if (pattern !== undefined && isOfNothing(report)) throw nothingNamed(pattern.text);
  const lost = report.findings.filter(({ kind, isRepaired }) => isRepaired && FETCHED.includes(kind));
  const digests = lost.flatMap(({ what }) => (isDigest(what) ? what : []));
  const fetched = isAtRest ? 0 : await fetchAnew(digests, { mirror, contents, signal });
  const findings = bounded(report.findings);
  return { ...report, findings, fetched, leftOut: report.findings.length - findings.length };
}

function isOfNothing({ blobs, manifests, findings }: VerifyReport): boolean {
  return blobs + manifests === 0 && !findings.some(({ kind }) => kind !== "stranger");
}

function bounded(findings: readonly Finding[]): Finding[] {
  return findings.slice(0, MOST_FINDINGS).map(({ reason, ...rest }) => ({
    ...rest,
    ...(reason !== undefined && { reason: reason.slice(0, REASON_CHARACTERS) }),
  }));
}

/** What a job remembered; undefined where it is not what `verify` writes. */
function placeOf(remembered: unknown): VerifyPlace | undefined {
  const place = asObject(remembered);
  if (textOf(place?.after) === undefined || !Array.isArray(place?.findings)) return undefined;
  const isSound = objects(place.findings).every(
    ({ kind, what }) => textOf(what) !== undefined && (kind !== "missing" || isDigest(String(what))),
  );
  return isSound ? (remembered as VerifyPlace) : undefined;
}
