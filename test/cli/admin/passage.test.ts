/** Shows `granary rules`, `allow`, `deny`, `held-back` and `approve` against a real server, and what its clients hear of it. */
import { readFile, writeFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

async function world() {
  const fake = await startFake({ mode: "plain" });
  const directory = `${await tempDirectory()}/data`;
  const serving = await startServing({ fake, directory });
  const granary = (...args: string[]) => runMain([...args, "--directory", directory]);
  const reach = async (more: string) => {
    const before = await readFile(serving.config, "utf8");
    const upstream = `endpoints: ["${fake.url}"], internal: true`;
    await writeFile(
      serving.config,
      before.replace(/endpoints: .*internal: true[^}]*/, `${upstream}${more} `),
    );
    return await granary("reload");
  };
  return { fake, serving, granary, reach };
}

test("a rule is tried, made, listed and taken back, and clients hear one sentence", async () => {
  const { fake, serving, granary, reach } = await world();
  fake.addImage("a/b", "1", { layers: [10] });
  fake.addImage("c/d", "1", { layers: [10] });
  for (const name of ["a/b", "c/d"]) expect((await serving.get(`/v2/${name}/manifests/1`)).status).toBe(200);
  expect(await granary("rules")).toMatchObject({
    code: 0,
    out: "Everything may pass: nothing is denied, and nothing is singled out.\n",
  });
  expect((await granary("deny", "fake.test/a/*", "--dry-run")).out).toBe(
    "deny fake.test/a/*: would be made.\nStored, and would be refused:\n  fake.test/a/b:1\n",
  );
  expect((await serving.get("/v2/a/b/manifests/1")).status).toBe(200);
  expect((await granary("deny", "fake.test/a/*")).out).toContain("Stored, and refused:\n  fake.test/a/b:1");
  const answer = await serving.get("/v2/a/b/manifests/1");
  expect([answer.status, JSON.parse(answer.body.toString())]).toEqual([
    403,
    {
      errors: [
        {
          code: "DENIED",
          message: "fake.test/a/b:1 may not pass this mirror: fake.test/a/* is denied (by granary deny).",
        },
      ],
    },
  ]);
  await reach(", allow: [c/*], cooldown: 3d");
  const { out } = await granary("rules");
  expect(out).toMatch(
    /^allow {2}fake\.test\/c\/\* {2}\(settings\)\ndeny {3}fake\.test\/a\/\* {2}\(by command, .*Z\)\nWhat is new from fake\.test waits 3d \(settings\)\.\n$/,
  );
  const removed = JSON.parse((await granary("deny", "fake.test/a/*", "--remove", "--json")).out);
  expect(removed).toMatchObject({ kind: "deny", pattern: "fake.test/a/*", changes: true, passing: [] });
  const none = await granary("deny", "fake.test/a/*", "--remove");
  expect([none.code, none.err]).toEqual([
    3,
    expect.stringContaining("There is no rule to deny fake.test/a/*."),
  ]);
  const bad = await granary("allow", "fake.test/a/");
  expect([bad.code, bad.out]).toEqual([2, ""]);
});

test("what is new is listed with both digests and the time, and let through by a person", async () => {
  const { fake, serving, granary, reach } = await world();
  const old = fake.addImage("a/b", "1", { layers: [10] });
  await serving.get("/v2/a/b/manifests/1");
  await reach(", cooldown: 3d, tagLifetime: 0s");
  const moved = fake.addImage("a/b", "1", { layers: [20], seed: 5 });
  const held = await serving.get("/v2/a/b/manifests/1");
  expect(held.headers["docker-content-digest"]).toBe(old.manifestDigest);
  expect(held.headers.warning).toMatch(/^299 - "held back: fake\.test names sha256:/);
  const known = await serving.get("/v2/a/b/manifests/1");
  expect(known.headers.etag).toBe(held.headers.etag);
  const list = await granary("held-back");
  expect(list.out).toMatch(/^fake\.test\/a\/b:1\n/);
  for (const digest of [old.manifestDigest, moved.manifestDigest]) expect(list.out).toContain(digest);
  const [item] = JSON.parse((await granary("held-back", "--json")).out);
  expect(item.passesAt - item.firstSeenAt).toBe(3 * 86_400_000);
  const wrong = await granary("approve", "fake.test/a/c");
  expect([wrong.code, wrong.err]).toEqual([3, expect.stringContaining("fake.test/a/b:1")]);
  expect((await granary("approve", "fake.test/a/b:1", "--dry-run")).out).toContain("would pass from now on");
  expect((await serving.get("/v2/a/b/manifests/1")).headers["docker-content-digest"]).toBe(
    old.manifestDigest,
  );
  expect((await granary("approve", "fake.test/a/b:1")).out).toBe(
    `fake.test/a/b:1: ${moved.manifestDigest} passes from now on.\n`,
  );
  expect((await serving.get("/v2/a/b/manifests/1")).headers["docker-content-digest"]).toBe(
    moved.manifestDigest,
  );
  expect(await granary("held-back")).toMatchObject({ code: 0, out: "Nothing is held back.\n" });
  await serving.kill("SIGTERM");
  expect(await granary("rules"), "also where no server runs").toMatchObject({ code: 0 });
});
