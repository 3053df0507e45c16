/** Shows that a name pattern stands for the same things in every verb that takes one, and what verbs say of one that stands for nothing or for two. */
import { expect, it, onTestFinished } from "vitest";
import type { AdminParts } from "../../../src/http/admin/admin-parts.ts";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { Jobs } from "../../../src/jobs/jobs.ts";
import { silentLog } from "../../../src/observe/log.ts";
import { createMetrics } from "../../../src/observe/metrics.ts";
import { Events } from "../../../src/records/events.ts";
import { verifyJob } from "../../../src/verifying/verify-job.ts";
import { warmJob } from "../../../src/warm/warm-job.ts";
import { WarmUps } from "../../../src/warm/warm-ups.ts";
import { type MirrorWorld, startWorld } from "../../support/mirror-world.ts";
import { upstreamOf } from "../../support/upstream-of.ts";
import { MemoryRows } from "../../warm/warm-world.ts";

const HUB = "docker.io";
const MODELS = "registry.ollama.ai";
const OTHER = "ghcr.io";

const STORED = [
  [HUB, "library/alpine", "3.21"],
  [HUB, "library/alpine", "3.22"],
  [HUB, "library/alpine", "edge"],
  [HUB, "library/both", "1"],
  [HUB, "org/app", "1"],
  [MODELS, "library/both", "1"],
  [MODELS, "library/llama3.2", "3b"],
  [OTHER, "org/app", "1"],
  [OTHER, "org/team/tool", "1"],
] as const;

type Stored = (typeof STORED)[number];
const nameOf = ([upstream, repository, tag]: Stored) => `${upstream}/${repository}:${tag}`;

/** The things that are stored; the digest of each is its own. */
async function storedWorld() {
  const { fake } = await startWorld();
  // All three are one registry: what a name means is not for it to say.
  const world = await startWorld({
    others: [
      upstreamOf(fake, { name: HUB, aliases: ["index.docker.io"], names: "hub" }),
      upstreamOf(fake, { name: MODELS, names: "ollama" }),
      upstreamOf(fake, { name: OTHER, aliases: ["hub.test:5000"] }),
    ],
  });
  const digests = new Map<string, string>();
  for (const [index, stored] of STORED.entries()) {
    const [upstream, repository, tag] = stored;
    const image = fake.addImage(repository, tag, { seed: 10 * index, layers: [10 + index] });
    await world.get(repository, tag, { upstream });
    for (const digest of [image.configDigest, ...image.layerDigests])
      await world.read(repository, digest, undefined, { upstream });
    digests.set(nameOf(stored), image.manifestDigest);
  }
  await world.fills(0);
  return { fake, world, digests };
}

/** What each verb says that `pattern` stands for, as sorted names; a failure by its code. */
function verbsOf(world: MirrorWorld) {
  const { contents, bundles, passage } = world.mirror;
  const { clock } = world;
  const jobs = new Jobs({
    rows: new MemoryRows(),
    events: new Events(clock),
    clock,
    log: silentLog,
    metrics: createMetrics(),
  });
  const upstreams = () => [
    { name: HUB, aliases: [], names: "hub" } as const,
    { name: MODELS, aliases: [], names: "ollama" } as const,
    { name: OTHER, aliases: ["hub.test:5000"], names: "oci" } as const,
  ];
  const parts = { mirror: world.mirror, contents: world.contents, clock, upstreams, jobs };
  jobs.register(verifyJob({ ...parts, isAtRest: false }));
  jobs.register(warmJob(parts));
  const warmUps = new WarmUps({
    ...parts,
    log: silentLog,
    isHere: async () => true,
    partials: async () => [],
  });
  onTestFinished(() => jobs.close(5_000));
  const app = createAdminApp({
    contents,
    jobs,
    warmUps,
    records: world.records,
    log: silentLog,
    clock,
  } as unknown as AdminParts);
  const post = async (path: string, body?: object) => {
    const init = { method: "POST", ...(body && { body: JSON.stringify(body) }) };
    const answer = await app.request(path, { ...init, headers: { "content-type": "application/json" } });
    const json = (await answer.json()) as { error?: { code: string }; job: { id: number; title: string } };
    if (json.error !== undefined) throw json.error;
    return json.job;
  };
  const names = (items: readonly { upstream: string; repository: string; tag?: string; digest?: string }[]) =>
    items.map(
      ({ upstream, repository, tag, digest }) => `${upstream}/${repository}${tag ? `:${tag}` : `@${digest}`}`,
    );
  return {
    list: async (pattern: string) =>
      names((await contents.list({ pattern, by: "tag", sort: "name", limit: 100 })).items),
    remove: async (pattern: string) => {
      const { repositories } = await contents.remove(pattern, { dryRun: true });
      return names(repositories.flatMap(({ tags, ...where }) => tags.map((tag) => ({ ...where, tag }))));
    },
    refresh: async (pattern: string) => names(await contents.refresh(pattern, true)),
    "bundle export": async (pattern: string) => {
      const choice = { platforms: { kind: "stored" }, attestations: false, fetch: false } as const;
      const { report, release } = await bundles.prepare({ patterns: [pattern], ...choice });
      release();
      return report.names.map(({ name }) => name);
    },
    deny: async (pattern: string) =>
      (await passage.change("deny", pattern, { isRemoval: false, isTrial: true })).refused,
    keep: async (pattern: string) => (await contents.keep(pattern, true)).names,
    verify: async (pattern: string) => {
      const { id } = await post(`/api/v1/verify?pattern=${encodeURIComponent(pattern)}`);
      const { result, code } = await jobs.ended(id);
      if (code !== undefined) throw { code };
      return (result as { manifests: number }).manifests;
    },
    warm: async (reference: string) => (await post("/api/v1/warm", { references: [reference] })).title,
  };
}

const all = STORED.map(nameOf);
const only = (...parts: readonly string[]) => all.filter((name) => parts.some((part) => name.includes(part)));
const ALPINE = only("docker.io/library/alpine");

const MEANINGS: readonly (readonly [string, readonly string[]])[] = [
  ["alpine", ALPINE],
  ["library/alpine", ALPINE],
  ["docker.io/library/alpine", ALPINE],
  ["docker.io/alpine", ALPINE],
  ["DOCKER.IO/library/alpine", ALPINE],
  ["index.docker.io/library/alpine", ALPINE],
  ["docker://alpine", ALPINE],
  ["alpine:3.*", only("alpine:3.")],
  ["alpine:*", ALPINE],
  ["alpine:3.22", only("alpine:3.22")],
  ["alpin*", ALPINE],
  ["docker.io/*/alpine", ALPINE],
  ["docker.io/**", only("docker.io/")],
  ["ghcr.io/org/**", only("ghcr.io/")],
  ["ghcr.io/org/*", only("ghcr.io/org/app")],
  ["ghcr.io/**/tool", only("tool")],
  ["ghcr.io/org/**/tool:1", only("tool")],
  ["*.io/org/app", only("docker.io/org/app", "ghcr.io/org/app")],
  ["**/app", only("/app:")],
  ["hub.test:5000/org/app", only("ghcr.io/org/app")],
  ["org/app", only("docker.io/org/app")],
  ["ollama:llama3.2", only("llama3.2")],
  ["ollama:llama3.2:3b", only("llama3.2")],
  ["ollama:both", only(`${MODELS}/library/both`)],
  // Nothing but Ollama's registry has it.
  ["llama3.2", only("llama3.2")],
  ["llama3.2:3b", only("llama3.2")],
  ["docker.io/both", only("docker.io/library/both")],
  ["*", all],
  ["**", all],
  ["*:1", only(":1")],
];

it("a pattern stands for the same in list, remove, refresh, export, deny, keep and verify", async () => {
  const { world, digests } = await storedWorld();
  const { keep, verify, warm: _, ...verbs } = verbsOf(world);
  const byDigest = [...digests]
    .slice(0, 2)
    .flatMap(([name, digest]) => [
      [`*@${digest}`, [name]] as const,
      [`*@${digest.slice(0, 20)}*`, [name]] as const,
      [`${name.replace(/:[^:]*$/, "")}@${digest}`, [name]] as const,
      [digest, [name]] as const,
    ]);
  for (const [pattern, meant] of [...MEANINGS, ...byDigest]) {
    const wanted = [...meant].sort();
    for (const [verb, of] of Object.entries(verbs)) {
      // An export of one thing by its digest names that, and not the tag.
      if (verb === "bundle export" && /@sha256:[0-9a-f]{64}$/.test(pattern) && !pattern.startsWith("*"))
        continue;
      expect([...(await of(pattern))].sort(), `${verb} ${pattern}`).toEqual(wanted);
    }
    expect(await keep(pattern), `keep ${pattern}`).toBe(wanted.length);
    expect(await verify(pattern), `verify ${pattern}`).toBe(wanted.length);
  }
}, 120_000);

it("one that stands for nothing, for two things, or is none, is refused by each of them in the same way", async () => {
  const { world } = await storedWorld();
  const { keep, deny, warm, "bundle export": exported, ...verbs } = verbsOf(world);
  const show = (pattern: string) => world.mirror.contents.show(pattern);
  for (const [verb, of] of Object.entries({ ...verbs, show })) {
    for (const nothing of ["alpien", "alpine:4.*", "ghcr.io/none/**", "*@sha256:ffffffff*", "ollama:llama9"])
      await expect(of(nothing), `${verb} ${nothing}`).rejects.toMatchObject({ code: "not-found" });
  }
  await expect(exported("alpine:4.*")).rejects.toMatchObject({
    code: "not-found",
    message: expect.stringContaining("Near to it: docker.io/library/alpine"),
  });
  for (const [verb, of] of Object.entries({ ...verbs, show, keep, deny, warm, exported })) {
    await expect(of("both"), `${verb} both`).rejects.toMatchObject({
      code: "reference-invalid",
      message: expect.stringContaining("docker.io/library/both or registry.ollama.ai/library/both"),
    });
    await expect(of("nowhere.test/a"), `${verb} of no upstream`).rejects.toMatchObject({
      code: "route-unknown",
    });
    for (const bad of [
      "",
      "a b",
      "ghcr.io/UPPER/case",
      "a**",
      "alpine:",
      "alpine@sha256:12",
      "ghcr.io/../x",
      "\u0000",
      "ä",
      "*/".repeat(399),
    ])
      await expect(of(bad), `${verb} ${bad}`).rejects.toMatchObject({
        code: expect.stringMatching(/^(reference-invalid|config-invalid)$/),
      });
    await expect(of(`${"*a".repeat(50_000)}`), `${verb} 100 kB`).rejects.toMatchObject({
      code: expect.stringMatching(/^(reference-invalid|config-invalid)$/),
    });
  }
}, 120_000);

it("a short name that is stored from Ollama's registry alone is that model for a warm-up, too", async () => {
  const { world } = await storedWorld();
  const { warm } = verbsOf(world);
  expect(await warm("llama3.2:3b")).toBe("warm registry.ollama.ai/library/llama3.2:3b");
  expect(await warm("alpine:3.22")).toBe("warm alpine:3.22");
});

it("what was pulled by its digest is a name of its own: listed, shown, kept and removed by that", async () => {
  const { fake, world } = await storedWorld();
  const { contents } = world.mirror;
  const at = { upstream: OTHER };
  const amd = fake.addImage("org/pinned", undefined, { seed: 300, layers: [500] });
  const arm = fake.addImage("org/pinned", undefined, { seed: 310, layers: [700] });
  const index = fake.addIndex("org/pinned", "1", [
    { digest: amd.manifestDigest, platform: "linux/amd64" },
    { digest: arm.manifestDigest, platform: "linux/arm64" },
  ]);
  const [layer = ""] = amd.layerDigests;
  await world.get("org/pinned", amd.manifestDigest, at);
  await world.read("org/pinned", layer, undefined, at);
  await world.fills(0);
  const listed = async (pattern: string) =>
    (await contents.list({ pattern, by: "tag", sort: "used", limit: 10 })).items;
  const name = `ghcr.io/org/pinned@${amd.manifestDigest}`;
  for (const pattern of [name, "ghcr.io/org/pinned", `*@${amd.manifestDigest}`]) {
    expect(await listed(pattern)).toMatchObject([
      { digest: amd.manifestDigest, size: 500, usedAt: expect.any(Number) },
    ]);
    expect((await contents.show(pattern)).names).toMatchObject([
      { tag: undefined, digest: amd.manifestDigest },
    ]);
  }
  // A tag that leads to it takes it in, and it can be named all the same.
  await world.get("org/pinned", "1", at);
  expect(await listed("ghcr.io/org/pinned")).toMatchObject([{ tag: "1", digest: index }]);
  expect(await listed(name)).toMatchObject([{ digest: amd.manifestDigest, size: 500 }]);
  expect(await contents.keep(name, false)).toMatchObject({ names: 1, size: 500 });
  expect(await listed(name)).toMatchObject([{ keptBy: name }]);
  await contents.unkeep(name, false);
  const planned = await contents.remove(name, { dryRun: true });
  expect(planned).toMatchObject({ repositories: [{ manifests: [amd.manifestDigest] }], freed: 500 });
  expect(await contents.remove(name, {})).toEqual(planned);
  await expect(listed(name)).rejects.toMatchObject({ code: "not-found" });
});
