/** Shows that nothing which registries, archives or clients write is obeyed by the terminal that it comes to. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import { placeImage } from "../support/fake-images.ts";
import { runMain } from "../support/run-main.ts";
import { startServing } from "../support/serving.ts";
import { startFake } from "../support/start-upstream.ts";
import { file, tarLayer } from "../support/tar-layer.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const EVIL = "\u001b[2J\u009b31m\u202eevil\r\n\u001b]0;title\u0007";
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it is about.
const COMMANDS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/;

async function shown(...args: string[]): Promise<string> {
  const { out, err } = await runMain(args);
  expect(`${out}${err}`).not.toMatch(COMMANDS);
  return `${out}${err}`;
}

it("names and sentences of registries, archives and command lines are shown as they are, and not obeyed", async () => {
  const fake = await startFake({ mode: "plain" });
  const at = `${fake.host}/org/app`;
  placeImage(fake, "org/app", "1", { layers: [Buffer.from("x")], config: { os: EVIL, architecture: EVIL } });
  const directory = await tempDirectory();
  await writeFile(join(directory, "evil.tar"), tarLayer([file(EVIL, EVIL), file("manifest.json", EVIL)]));
  const answers = [
    await shown("image", "inspect", `${at}:1`),
    await shown("image", "inspect", `${at}:1`, "--json"),
    await shown("image", "size", `${at}:1`, "--platform", `linux/${EVIL}`),
    await shown("image", "size", `ocifile:${directory}/${EVIL}`),
    await shown("image", "size", `ocifile:${directory}/evil.tar`),
    await shown("image", "size", `${fake.host}/${EVIL}`),
    await shown("image", "size", `docker-daemon:${EVIL}`),
    await shown("image", EVIL),
    await shown("image", "size", `--${EVIL}`),
  ];
  fake.fail(
    /manifests/,
    {
      kind: "status",
      status: 400,
      body: JSON.stringify({ errors: [{ code: "DENIED", message: EVIL }] }),
      headers: { "content-type": "application/json" },
    },
    { times: 100 },
  );
  answers.push(await shown("image", "size", `${at}:1`));
  expect(answers.filter((text) => text.includes("evil")).length).toBeGreaterThan(4);
});

it("what clients write into a request is shown in the server's log, and not obeyed", async () => {
  const fake = await startFake({ mode: "plain" });
  const serving = await startServing({ fake, directory: await tempDirectory() });
  const answer = await serving.get(`/v2/app/manifests/1?ns=${encodeURIComponent(EVIL)}`);
  expect(answer.status).toBe(404);
  await expect.poll(() => serving.lines().some((line) => line.includes("evil"))).toBe(true);
  expect(serving.lines().join("")).not.toMatch(COMMANDS);
});
