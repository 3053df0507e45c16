/** Shows what people get who press TAB: real shells load the script of `granary completion` and are asked. */
import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdir, writeFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { runMain } from "../support/run-main.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const run = promisify(execFile);

/** A folder with a file and a directory, and the script of `shell`. */
async function world(shell: string): Promise<{ directory: string; script: string }> {
  const directory = await tempDirectory();
  await mkdir(join(directory, "rootfs"));
  await writeFile(join(directory, "layer one.tar"), "");
  const { code, out, err } = await runMain(["completion", shell]);
  expect([code, err]).toEqual([0, ""]);
  const script = join(directory, `.granary.${shell}`);
  await writeFile(script, out);
  return { directory, script };
}

/** What bash offers at the end of `line`. The file names of readline itself come only at a terminal; here bash lists them as 3.2 does. */
const ASK_BASH = `source "$1"; COMP_LINE=$2 COMP_POINT=\${#2}; _granary 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;

/** Fish is asked as its terminal asks. */
const ASK_FISH = "source $argv[1]; complete -C $argv[2]; true";

async function askBash(line: string, { directory, script }: { directory: string; script: string }) {
  const { stdout } = await run("bash", ["--norc", "-c", ASK_BASH, "bash", script, line], { cwd: directory });
  return wordsOf(stdout);
}

async function askFish(line: string, { directory, script }: { directory: string; script: string }) {
  const env = { ...process.env, HOME: directory, XDG_CONFIG_HOME: directory, XDG_DATA_HOME: directory };
  const { stdout } = await run("fish", ["--no-config", "-c", ASK_FISH, script, line], {
    cwd: directory,
    env,
  });
  return wordsOf(stdout);
}

function wordsOf(text: string): string[] {
  return text
    .split("\n")
    .map((word) => word.replace(/\t.*/, ""))
    .filter((word) => word !== "")
    .sort();
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => existsSync(join(folder, program)));
}

const ASKED = [
  { shell: "bash", ask: askBash },
  ...(isInstalled("fish") ? [{ shell: "fish", ask: askFish }] : []),
];

describe.each(ASKED)("$shell", ({ shell, ask }) => {
  const offered = async (line: string) => await ask(line, await world(shell));

  test.each([
    ["granary im", ["image", "import"]],
    ["granary image ", ["create", "digest", "extract", "help", "inspect", "size"]],
    ["granary image ex", ["extract"]],
    ["granary help im", ["image", "import"]],
    ["granary help image ins", ["inspect"]],
    ["granary image help ins", ["inspect"]],
    ["granary image extract --repl", ["--replace"]],
    ["granary image digest --qui", []],
    ["granary image digest --user", ["--username"]],
    ["granary serve --log-level w", ["warn"]],
    ["granary completion ", ["bash", "fish", "zsh"]],
    ["granary image size ", []],
    ["granary image size lay", []],
    ["granary image extract --platform ", []],
    ["granary nonsense ", expect.anything()],
  ])("completes `%s`", async (line, expected) => {
    expect(await offered(line)).toEqual(expected);
  });

  test.each([
    "granary image extract alpine:3 root",
    "granary image extract --platform linux/arm64 alpine root",
  ])("completes a directory where one is expected: `%s`", async (line) => {
    expect((await offered(line)).map((name) => name.replace(/\/$/, ""))).toEqual(["rootfs"]);
  });

  test.each([
    "granary image create lay",
    "granary image create a.tar lay",
    "granary serve --config lay",
    "granary model fetch gemma:2b lay",
  ])("completes a file where one is expected: `%s`", async (line) => {
    expect((await offered(line)).map((name) => name.replaceAll("\\", ""))).toEqual(["layer one.tar"]);
  });
});

test.each(["bash", "zsh", "fish"].filter(isInstalled))(
  "%s reads its script without a complaint",
  async (shell) => {
    const { script } = await world(shell);
    const { stderr } = await run(shell, ["-n", script]);
    expect(stderr).toBe("");
  },
);

test("another shell is a mistake of use that names those there are", async () => {
  const { code, out, err } = await runMain(["completion", "tcsh"]);
  expect([code, out]).toEqual([2, ""]);
  expect(err).toContain("bash, zsh, fish");
});
