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
const OTHERS = ["serve", "health", "verify", "parse"];

test("the tree of commands is the promised one", () => {
  expect(commands().flatMap((command) => verbsOf(command))).toMatchInlineSnapshot(`
    [
      "serve",
      "health",
      "verify",
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
    ]
  `);
});

test("every client verb takes the common options, and none takes a password", () => {
  for (const command of commands().flatMap(leavesOf)) {
    const flags = command.options.map(({ long }) => long);
    if (!OTHERS.includes(command.name()))
      expect(flags, command.name()).toEqual(expect.arrayContaining(COMMON));
    expect(flags, command.name()).not.toContain("--password");
  }
});

test("every client verb and every group shows an example of itself", () => {
  const pathsOf = (command: Command, above: string): [string, Command][] => {
    const path = `${above} ${command.name()}`;
    return [[path, command], ...command.commands.flatMap((child) => pathsOf(child, path))];
  };
  for (const [path, command] of commands().flatMap((command) => pathsOf(command, "granary"))) {
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
  ])("%j prints it on standard output and is no failure", async (args) => {
    const { code, out, err } = await runMain(args);
    expect([code, err]).toEqual([0, ""]);
    expect(out).toMatch(/^Usage: granary/);
  });

  test.each([[[]], [["image"]], [["image", "sise"]], [["image", "size"]], [["image", "size", "a", "b"]]])(
    "%j is a mistake of use, told on standard error: exit code 2",
    async (args) => {
      const { code, out, err } = await runMain(args);
      expect([code, out]).toEqual([2, ""]);
      expect(err).toContain("help");
    },
  );
});
