/**
 * Shows that the distribution specification's own conformance program finds no fault with what Granary answers to a client that only
 * pulls: tags, manifests and blobs by GET and HEAD, and referrers, cold, again from disk, and with the upstream gone.
 */
import { expect, test } from "vitest";
import { FAST_LINE } from "./support/lines.ts";
import { HUB, useStage } from "./support/pull-scenario.ts";
import { UPSTREAM_PROGRAMS } from "./support/real-upstream.ts";
import { describeWith } from "./support/required-programs.ts";
import { runCommand } from "./support/run-command.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";
import type { UpstreamContent } from "./support/upstream-content.ts";

/** What a registry that takes nothing has to do. */
const PULLING = [
  "Ping",
  "Manifest get by digest",
  "Manifest get by tag",
  "Manifest head by digest",
  "Manifest head by tag",
  "Blob get",
  "Blob head",
  "Referrers",
  "Invalid Manifest Digest",
];

const READ_BEFORE = "/read-only/";

describeWith(["oci-conformance", ...UPSTREAM_PROGRAMS], "the conformance program", () => {
  const stage = useStage(FAST_LINE);

  test("finds no fault with what can be pulled that the registry itself has not: cold, warm, and with the upstream gone", async () => {
    const { granary, upstream, front, cleanup } = stage();
    const home = await scratchDirectory(cleanup, "conformance");
    // Its report is whole before it writes the files of it, where this version ends itself when nothing was pushed.
    const check = async (url: string) => {
      const env = settingsFor(new URL(url).host, upstream.content);
      return verdictsIn(await runCommand("sh", ["-c", 'cd "$0" && oci-conformance || true', home], { env }));
    };
    // Debian's registry knows no pages of tags: what it does wrong is handed on, and Granary has no fault beyond it.
    const itself = await check(upstream.url);
    for (const when of ["cold", "warm"]) {
      const verdicts = await check(granary.url(HUB));
      expect(faultsIn(verdicts, itself), when).toEqual([]);
      const passed = PULLING.filter((what) => verdicts.get(what) === "Pass");
      expect(passed, when).toEqual(PULLING);
    }
    await front.pause();
    // Whether a name that nobody asked for before is absent cannot be known now; what was read is there.
    const offline = [...(await check(granary.url(HUB)))].filter(([what]) => what.includes(READ_BEFORE));
    expect(faultsIn(new Map(offline), itself)).toEqual([]);
    expect(offline.filter(([, verdict]) => verdict === "Pass").length).toBeGreaterThanOrEqual(8);
    expect(front.account.violations).toEqual([]);
  });
});

function faultsIn(found: ReadonlyMap<string, string>, itself: ReadonlyMap<string, string>) {
  const aggregates = /^OCI Conformance (Test|Result)$|^Read Only Inputs$|\/read-only$/;
  return [...found].filter(
    ([what, verdict]) => isFault(verdict) && !isFault(itself.get(what)) && !aggregates.test(what),
  );
}

function isFault(verdict: string | undefined): boolean {
  return verdict !== undefined && /^(fail|error)$/i.test(verdict);
}

function settingsFor(registry: string, { index, platforms }: UpstreamContent): Record<string, string> {
  const blobs = platforms.flatMap(({ config, layers }) => [config, ...layers].map(({ digest }) => digest));
  const images = [index, ...platforms];
  return {
    OCI_VERSION: "1.1",
    OCI_REGISTRY: registry,
    OCI_TLS: "disabled",
    OCI_REPO1: index.repository,
    OCI_API_PUSH: "false",
    OCI_API_BLOBS_DELETE: "false",
    OCI_API_MANIFESTS_DELETE: "false",
    OCI_API_TAGS_DELETE: "false",
    OCI_RO_DATA_TAGS: images.map(({ tag }) => tag).join(" "),
    OCI_RO_DATA_MANIFESTS: images.map(({ manifest }) => manifest.digest).join(" "),
    OCI_RO_DATA_BLOBS: [...new Set(blobs)].join(" "),
    OCI_RO_DATA_REFERRERS: index.manifest.digest,
  };
}

/** Of each test of the tree ("a/b/c: Pass"), and of each kind of request in the summary ("Blob get......: Pass"). */
function verdictsIn(report: string): Map<string, string> {
  const lines = report.split("\n").flatMap((line) => {
    const [, what, verdict] = /^ *(\S.*?)(?:\.*: +|: )(\w+)$/.exec(line) ?? [];
    return what === undefined || verdict === undefined ? [] : [[what, verdict] as const];
  });
  return new Map(lines);
}
