/** Shows that programs which take certificates in are looked for before anything is changed, and that what they say is told when they fail. */
import { chmod, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { findPrograms, runAll } from "../../../src/cli/ca/run-commands.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

async function program(directory: string, name: string, script: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
  return path;
}

test("one that is not installed is named, with the package that has it", async () => {
  const PATH = await tempDirectory();
  await expect(findPrograms([["granary-no-such-program"]], { PATH })).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringMatching(/granary-no-such-program is not installed.*ca-certificates/),
  });
});

test("they run one after the other, and the first that fails is told with its last words", async () => {
  const PATH = await tempDirectory();
  const trace = join(PATH, "trace");
  await program(PATH, "good", `echo "$@" >> ${trace}`);
  await program(PATH, "bad", "echo much; echo 'it is read-only' >&2; exit 3");
  const commands = [["good", "--fresh"], ["bad"], ["good", "again"]] as const;
  const programs = await findPrograms(commands, { PATH });
  await expect(runAll(commands, programs)).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringMatching(/^bad failed: it is read-only\./),
  });
  expect(await readFile(trace, "utf8")).toBe("--fresh\n");
});
