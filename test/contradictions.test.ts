/** Shows which long work may not begin beside which, what the sentence says, and that all else runs side by side. */
import { expect, it } from "vitest";
import { contradictionOf } from "../src/contradictions.ts";
import { type JobRecord, NO_PROGRESS } from "../src/jobs/job.ts";
import { globsMeet, pathsMeet } from "../src/routing/glob.ts";

const UPSTREAMS = [
  { name: "docker.io", aliases: [], names: "hub" },
  { name: "ghcr.io", aliases: [], names: "oci" },
] as const;

function running(kind: string, input: unknown): JobRecord {
  const rest = { startedAt: 1, progress: NO_PROGRESS, notes: [], resumes: 0 };
  return { id: 7, kind, title: `${kind} it`, state: "running", input, ...rest };
}

const remove = (pattern: string) => ["remove", { pattern }] as const;
const warm = (...references: string[]) => ["warm", { references }] as const;
const export_ = (...patterns: string[]) => ["export", { patterns, ticket: 1 }] as const;
const import_ = (input: object) => ["import", { replace: false, ticket: 1, ...input }] as const;

it.each([
  [remove("alpine"), export_("alpine:3.22"), "reads what this would remove"],
  [remove("alpine:3.*"), export_("redis", "alpine:*.22"), "reads what this would remove"],
  [remove("*"), export_("ghcr.io/org/**"), "reads what this would remove"],
  [remove("ghcr.io/org/**"), warm("ghcr.io/org/app:1"), "brings in what this would remove"],
  [remove("alpine"), import_({ as: "docker.io/library/alpine:3" }), "brings in what this would remove"],
  [remove("ghcr.io/**"), remove("ghcr.io/org/**"), "removes the same"],
  [warm("alpine:3.22"), remove("alpine"), "removes what this would bring in"],
  [export_("alpine"), remove("*"), "removes what this would read"],
  [import_({ as: "alpine:3" }), remove("alpine:3"), "removes what this would bring in"],
  [import_({ from: "bundle:/a.tar" }), import_({ from: "bundle:/a.tar" }), "imports the same"],
  [["evict", { free: 1 }] as const, ["evict", { free: 2 }] as const, "makes room already"],
])("%j beside %j: it %s", ([kind, input], job, does) => {
  const sentence = contradictionOf({ kind, input }, [running(job[0], job[1])], UPSTREAMS);
  expect(sentence).toBe(
    `Job 7 (${job[0]} it) ${does}: wait for it (granary jobs follow 7), or stop it with granary jobs stop 7.`,
  );
  expect(
    contradictionOf({ kind, input }, [{ ...running(job[0], job[1]), state: "done" }], UPSTREAMS),
  ).toBeUndefined();
});

it.each([
  [remove("alpine"), export_("redis")],
  [remove("alpine:3.1*"), warm("alpine:3.22")],
  [remove("ghcr.io/org/**"), remove("ghcr.io/other/**")],
  [warm("alpine"), export_("alpine")],
  [export_("alpine"), export_("alpine")],
  [import_({ from: "bundle:/a.tar" }), import_({ from: "bundle:/b.tar" })],
  [import_({}), import_({})],
  [import_({}), remove("alpine")],
  [remove("alpine"), ["verify", { repair: true }] as const],
  [["evict", { free: 1 }] as const, remove("*")],
  [remove("no.such.host/x"), remove("alpine")],
])("%j runs beside %j", ([kind, input], job) => {
  expect(contradictionOf({ kind, input }, [running(job[0], job[1])], UPSTREAMS)).toBeUndefined();
});

it.each([
  ["3.*", "*.22", true],
  ["3.1*", "3.2*", false],
  ["a*c", "ab*", true],
  ["*", "x", true],
  ["a*", "b", false],
])("the globs %s and %s can mean the same: %s", (one, other, can) => {
  expect([globsMeet(one, other), globsMeet(other, one)]).toEqual([can, can]);
});

it.each([
  ["org/**", "**/app", true],
  ["org/**", "org", false],
  ["org/**", "org/*", true],
  ["a/*/c", "a/b/*", true],
  ["a/*", "b/**", false],
  ["**", "a/b/c", true],
  ["org/**", "or*", false],
])("the names %s and %s can mean the same: %s", (one, other, can) => {
  expect([pathsMeet(one, other), pathsMeet(other, one)]).toEqual([can, can]);
});
