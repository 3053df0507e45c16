/** Shows that much is removed by a job that is followed, beside a server and without one, and that small removals are none. */
import { join } from "node:path";
import { expect, test } from "vitest";
import { openDatabase } from "../../../src/metadata/database.ts";
import { digestOf } from "../../../src/oci/digest.ts";
import { OCI_MANIFEST } from "../../../src/oci/media-types.ts";
import { findLayout } from "../../../src/store/storage-directory.ts";
import { makeFolders } from "../../../src/store/storage-folders.ts";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

const REPOSITORIES = 700;

/** A storage directory with so many repositories, each with a tag, as pulls would have left it. */
async function filled(): Promise<string> {
  const directory = join(await tempDirectory(), "data");
  const layout = await findLayout(directory);
  await makeFolders(layout);
  const { metadata } = openDatabase(layout.database);
  for (let index = 0; index < REPOSITORIES; index++) {
    const where = { upstream: "fake.test", repository: `org/r${index}` };
    const document = { schemaVersion: 2, mediaType: OCI_MANIFEST, layers: [], annotations: { index } };
    const bytes = Buffer.from(JSON.stringify(document));
    const manifest = { digest: digestOf(bytes), mediaType: OCI_MANIFEST, bytes };
    await metadata.recordManifest(where, manifest, []);
    const tag = { ...where, tag: "1", acceptClass: "", mediaType: OCI_MANIFEST, size: 1, checkedAt: 1 };
    await metadata.recordTag({ ...tag, digest: manifest.digest });
  }
  await metadata.close();
  return directory;
}

test.each(["beside a server", "without one"])("much leaves by a job that is followed, %s", async (how) => {
  const directory = await filled();
  const granary = (...args: string[]) => runMain([...args, "--directory", directory]);
  const serving =
    how === "without one"
      ? undefined
      : await startServing({ fake: await startFake({ mode: "plain" }), directory });
  expect(await granary("keep", "fake.test/org/r7")).toMatchObject({ code: 0 });
  const dry = await granary("remove", "fake.test/**", "--dry-run");
  expect(dry.out).toContain(`Would remove ${REPOSITORIES - 1} names and 0 blobs`);
  const few = await granary("remove", "fake.test/org/r1");
  expect(few).toMatchObject({ code: 0, out: expect.stringContaining("all of it") });
  const much = await granary("remove", "fake.test/**");
  expect(much.out).toContain("fake.test/org/r7:1 stays: fake.test/org/r7 is kept");
  expect(much.out).toMatch(
    new RegExp(`^Removed ${REPOSITORIES - 2} names and 0 blobs: 0 B come free\\.$`, "m"),
  );
  expect(much.code).toBe(0);
  expect(JSON.parse((await granary("list", "--json")).out)).toMatchObject({ count: 1 });
  if (serving === undefined) return;
  const jobs = JSON.parse((await granary("jobs", "--json")).out);
  expect(jobs.items).toMatchObject([
    {
      kind: "remove",
      state: "done",
      title: "remove fake.test/**",
      progress: { things: { done: 698, total: 698 } },
    },
  ]);
  const again = await granary("remove", "fake.test/**");
  expect(again).toMatchObject({
    code: 4,
    err: expect.stringContaining("is kept by the rule fake.test/org/r7"),
  });
});
