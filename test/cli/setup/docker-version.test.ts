/** Shows that setup does not write for a Docker engine that would not start any more. */
import { chmod, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { refuseOldDocker } from "../../../src/cli/setup/docker-version.ts";
import { tempDirectory } from "../../support/temp-directory.ts";

/** A machine whose dockerd says `version`. */
async function machineWith(version: string) {
  const folder = await tempDirectory();
  const program = join(folder, "dockerd");
  await writeFile(program, `#!/bin/sh\necho '${version}'\n`);
  await chmod(program, 0o755);
  return { PATH: folder };
}

const URL = "http://192.0.2.10:3128";

test("one before 23 is refused, with what to do in its place", async () => {
  const env = await machineWith("Docker version 20.10.24+dfsg1, build 297e128");
  await expect(refuseOldDocker(URL, env)).rejects.toMatchObject({
    code: "conflict",
    message: expect.stringMatching(
      /Docker 20\.10\.24.*Nothing was changed.*HTTPS_PROXY=http:\/\/192\.0\.2\.10:3128/,
    ),
  });
});

test.each(["Docker version 23.0.0, build 1", "Docker version 28.2.2, build e6534b4", "something else"])(
  "%s is not",
  async (version) => {
    await expect(refuseOldDocker(URL, await machineWith(version))).resolves.toBeUndefined();
  },
);
