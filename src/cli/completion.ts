/** Owns `granary completion`: the script by which a shell completes command lines of this version. */
import { Argument, Command } from "commander";
import { bashScript } from "./completion/bash.ts";
import { type CommandNode, commandTree } from "./completion/command-tree.ts";
import { fishScript } from "./completion/fish.ts";
import { zshScript } from "./completion/zsh.ts";
import { withExamples } from "./help.ts";
import { printLine } from "./output.ts";

const SCRIPTS: Readonly<Record<string, (root: CommandNode) => string>> = {
  bash: bashScript,
  zsh: zshScript,
  fish: fishScript,
};

const INSTALL = `
To have it in every new shell:
  bash   add to ~/.bashrc:  source <(granary completion bash)
  zsh    add to ~/.zshrc, after compinit:  source <(granary completion zsh)
  fish   granary completion fish > ~/.config/fish/completions/granary.fish`;

export function completionCommand(): Command {
  const command = new Command("completion")
    .description("Print a script that makes a shell complete commands, options and file names.")
    .addArgument(new Argument("<shell>", "which shell it is for").choices(Object.keys(SCRIPTS)))
    .action((shell: string, _: object, command: Command) => {
      const root = commandTree(command.parent ?? command);
      printLine(SCRIPTS[shell]?.(root) ?? "");
    });
  return withExamples(command, ["granary completion bash > granary.bash"]).addHelpText("after", INSTALL);
}
