/** Shows that the commands are those that are promised, and that each explains itself. */
import type { Command } from "commander";
import { describe, expect, test } from "vitest";
import { commands } from "../../src/cli/commands.ts";
import { runMain } from "../support/run-main.ts";

/** "image size <reference>": every command that does something. */
function verbsOf(command: Command, above: readonly string[] = []): string[] {
  const path = [...above, command.name()];
  if (command.commands.length > 0) return command.commands.flatMap((child) => verbsOf(child, path));
  const args = command.registeredArguments.map((arg) => {
    const name = `${arg.name()}${arg.variadic ? "..." : ""}`;
    return arg.required ? `<${name}>` : `[${name}]`;
  });
  return [[...path, ...args].join(" ")];
}

function leavesOf(command: Command): Command[] {
  return command.commands.length === 0 ? [command] : command.commands.flatMap(leavesOf);
}

const COMMON = [
  "--platform",
  "--via",
  "--insecure",
  "--username",
  "--password-stdin",
  "--config",
  "--json",
  "--quiet",
];
/** Groups of verbs that work without any server. */
const CLIENT_GROUPS = ["image", "model", "artifact", "blob"];

test("the tree of commands is the promised one", async () => {
  expect((await commands()).flatMap((command) => verbsOf(command))).toMatchInlineSnapshot(`
    [
      "serve",
      "health",
      "status",
      "list [pattern]",
      "show <reference>",
      "remove <pattern>",
      "refresh <pattern>",
      "keep [pattern]",
      "unkeep <pattern>",
      "evict",
      "rules",
      "allow <pattern>",
      "deny <pattern>",
      "held-back",
      "approve <pattern>",
      "traffic",
      "pulls",
      "events",
      "fleet nodes",
      "fleet leases",
      "top",
      "reload",
      "offline [state] [upstream]",
      "bandwidth [limit] [upstream]",
      "verify [pattern]",
      "warm [reference...]",
      "jobs list",
      "jobs show <id>",
      "jobs follow <id>",
      "jobs stop <id>",
      "setup <client>",
      "doctor",
      "ca show",
      "ca install",
      "ca rotate",
      "bundle export <file> <pattern...>",
      "bundle import <file> [pattern...]",
      "import <source> [pattern...]",
      "image size <reference>",
      "image digest <reference>",
      "image inspect <reference>",
      "image extract <reference> <directory>",
      "image create <tar...>",
      "model manifest <name>",
      "model digest <name>",
      "model inspect <name>",
      "model fetch <name> [path]",
      "artifact pull <reference> <directory>",
      "blob fetch <repository> <digest> <file>",
      "reference parse <text>",
      "completion <shell>",
    ]
  `);
});

test("every client verb takes the common options, and none takes a password", async () => {
  for (const command of (await commands()).flatMap(leavesOf)) {
    const flags = command.options.map(({ long }) => long);
    if (CLIENT_GROUPS.includes(command.parent?.name() ?? ""))
      expect(flags, command.name()).toEqual(expect.arrayContaining(COMMON));
    expect(flags, command.name()).not.toContain("--password");
  }
});

test("options stand in one order everywhere", async () => {
  const lists = (await commands())
    .flatMap(leavesOf)
    .map(({ options }) => options.map(({ long }) => long ?? ""));
  const shared = [...new Set(lists.flat())].filter(
    (name) => lists.filter((list) => list.includes(name)).length > 1,
  );
  const after = (first: string, second: string) =>
    lists.some((list) => list.includes(second) && list.indexOf(first) > list.indexOf(second));
  for (const first of shared) {
    for (const second of shared) {
      expect(after(first, second) && after(second, first), `${first} and ${second}`).toBe(false);
    }
  }
});

test.each([
  ["image digest", ["--platform", "--via", "--config", "--json"], ["--quiet"]],
  ["image create", ["--platform", "--json", "--quiet"], ["--via", "--insecure", "--username", "--config"]],
  ["model fetch", ["--via", "--username", "--json", "--quiet"], ["--platform"]],
  ["blob fetch", ["--via", "--username", "--json", "--quiet"], ["--platform"]],
])("the help of `%s` lists the options that it uses, and no others", async (verb, used, others) => {
  const { out } = await runMain([...verb.split(" "), "--help"]);
  for (const option of used) expect(out).toMatch(new RegExp(`^ .*${option}\\b`, "m"));
  for (const option of others) expect(out).not.toMatch(new RegExp(`^ .*${option}\\b`, "m"));
});

test("an option that changes nothing for a verb is taken, and that is said", async () => {
  const { code, err } = await runMain(["model", "digest", "a/b/c/d", "--platform", "linux/arm64"]);
  expect(code).toBe(2);
  expect(err).toContain("granary: --platform changes nothing for `model digest`.\n");
});

test("every client verb and every group shows an example of itself", async () => {
  const pathsOf = (command: Command, above: string): [string, Command][] => {
    const path = `${above} ${command.name()}`;
    return [[path, command], ...command.commands.flatMap((child) => pathsOf(child, path))];
  };
  for (const [path, command] of (await commands()).flatMap((command) => pathsOf(command, "granary"))) {
    if (["serve", "health"].includes(command.name())) continue;
    let help = "";
    command
      .configureOutput({
        writeOut: (text) => {
          help += text;
        },
      })
      .outputHelp();
    expect(help).toMatch(/\nExamples?:\n/);
    expect(help).toContain(`\n  ${path} `);
  }
});

describe("asked for help", () => {
  test.each([
    [["--help"]],
    [["help", "image"]],
    [["image", "--help"]],
    [["image", "size", "--help"]],
    [["model", "help", "fetch"]],
    [["help"]],
    [["image", "help"]],
  ])("%j prints it on standard output and is no failure", async (args) => {
    const { code, out, err } = await runMain(args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^Usage: granary/);
  });

  test.each([
    [["help", "image", "extract"]],
    [["image", "help", "extract"]],
    [["image", "extract", "--help"]],
    [["image", "extract", "-h"]],
  ])("%j is the help of that verb", async (args) => {
    expect((await runMain(args)).out).toMatch(
      /^Usage: granary image extract \[options] <reference> <directory>\n/,
    );
  });

  test.each([[["help", "imagine"]], [["help", "image", "imagine"]], [["image", "help", "imagine"]]])(
    "%j, which there is not, is a mistake of use",
    async (args) => {
      const { code, out, err } = await runMain(args);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain("unknown command 'imagine'");
    },
  );

  test.each([[[]], [["image"]], [["image", "sise"]], [["image", "size"]], [["image", "size", "a", "b"]]])(
    "%j is a mistake of use, told on standard error: exit code 2",
    async (args) => {
      const { code, out, err } = await runMain(args);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain("help");
    },
  );
});
