/** Shows `granary status`: what it says of a running server, how it finds that, and what it says where there is none. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runMain } from "../../support/run-main.ts";
import { startServing } from "../../support/serving.ts";
import { startFake } from "../../support/start-upstream.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

test("it tells of a running server on one screen, found by its storage directory", async () => {
  const fake = await startFake({ mode: "plain" });
  const directory = join(await tempDirectory(), "data");
  const serving = await startServing({ fake, directory });
  const { code, out, err } = await runMain(["status", "--directory", directory]);
  expect([code, err]).toEqual([0, ""]);
  expect(out).toContain(directory);
  expect(out).toMatch(/^Upstreams +all 12 in order$/m);
  expect(out).toMatch(/^Transfers +none$/m);
  expect(out).toMatch(/^Trouble +none$/m);
  const json = await runMain(["status", "--directory", directory, "--json"]);
  expect(JSON.parse(json.out)).toMatchObject({ blobs: 0, fills: [], troubles: [] });
  const config = join(await tempDirectory(), "granary.yaml");
  await writeFile(config, `storage: { directory: ${directory} }\n`);
  expect(await runMain(["status", "--config", config])).toMatchObject({ code: 0 });
  await serving.kill("SIGTERM");

  const gone = await runMain(["status", "--directory", directory]);
  expect([gone.code, gone.out]).toEqual([1, ""]);
  expect(gone.err).toContain(`No Granary runs in ${directory}`);
});

const closed = { cwd: "/", env: { GRANARY_SERVER: "http://127.0.0.1:1", GRANARY_TOKEN: "" } };

test("a server that is named is asked, and one that does not answer is said so", async () => {
  const { code, err } = await runMain(["status"], closed);
  expect(code).toBe(1);
  expect(err).toContain("http://127.0.0.1:1 gives no answer");
  const typed = await runMain(["status", "--server", "http://127.0.0.1:2"], closed);
  expect(typed.err).toContain("http://127.0.0.1:2 gives no answer");
});

test.each([
  [["--server", "127.0.0.1:5080"], "--server takes the URL"],
  [["--server", "http://me:secret@127.0.0.1:5080"], "--server takes the URL"],
  [["--server", "http://127.0.0.1:2", "--directory", "."], "either --server or --directory"],
  [["--token-file", "/etc/hostname", "--directory", "."], "--token-file goes with --server"],
])("%j is refused, and no secret is shown", async (args, sentence) => {
  const { code, err } = await runMain(["status", ...args]);
  expect(code).toBe(2);
  expect(err).toContain(sentence);
  expect(err).not.toContain("secret");
});
