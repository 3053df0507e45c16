/**
 * Owns the command line as a whole: its help, and that every failure ends as one sentence and an exit code. A verb parses its
 * arguments, calls one library function and prints; what it does is the library's.
 */
import { Command, CommanderError } from "commander";
import { visibleText } from "../observe/visible-text.ts";
import { version } from "../version.ts";
import { type Asked, askedOf } from "./asked.ts";
import { commandsFor } from "./commands.ts";
import { uselessOptions } from "./common-options.ts";
import { EXIT_CODES, exitCodeOf } from "./exit-code.ts";
import { withHelp } from "./help.ts";
import { tell, tellFailure } from "./output.ts";

const EXAMPLES = `
Examples:
  granary serve                              Docker Hub on port 5000, the Ollama registry on 11435, data in ./data
  granary serve --config granary.yaml        the same with your own settings
  granary serve --directory /srv/granary     somewhere else on disk
  granary health                             is it up? (exit code 0 or 1)
  granary image extract alpine rootfs        an image's files, without any server
  granary model fetch gemma:2b gemma.gguf    a model's weights; \`--via http://HOST:11435\` takes them from a Granary

Point Docker at it:   { "registry-mirrors": ["http://HOST:5000"] } in /etc/docker/daemon.json
Point Ollama at it:   ollama pull --insecure HOST:11435/library/llama3.2`;

/** Runs the command line `argv` (as in process.argv). Sets the exit code; never throws, never prints a stack trace. */
export async function main(argv: readonly string[]): Promise<void> {
  process.stdout.on("error", endQuietly);
  process.stderr.on("error", goOnQuietly);
  const program = new Command("granary")
    .description("A pull-through cache for container images and models: each byte crosses the internet once.")
    .version(version)
    .addHelpText("after", EXAMPLES)
    .addHelpText("after", EXIT_CODES)
    .configureOutput({
      outputError: (text, write) => write(visibleText(text.replace(/^error:/, "granary:"))),
    })
    .showHelpAfterError("(run it with --help to see what there is)")
    .exitOverride();
  for (const command of await commandsFor(argv[2])) program.addCommand(command);
  handOn(withHelp(program));
  let asked: Asked | undefined;
  program.hook("preAction", (_, command) => {
    asked = askedOf(command);
    tellUseless(command, asked);
  });
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    if (error instanceof CommanderError) {
      // Commander has printed its sentence; asking for help or the version is no failure.
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    tellFailure(error, asked);
    process.exitCode = exitCodeOf(error);
  }
}

/** Ways to fail are not handed on by themselves to commands that were made elsewhere. */
function handOn(parent: Command): void {
  for (const command of parent.commands) handOn(command.copyInheritedSettings(parent));
}

function tellUseless(command: Command, { verb }: Asked): void {
  for (const option of uselessOptions(command)) tell(`granary: ${option} changes nothing for \`${verb}\`.`);
}

/** Whoever read our output has read enough (`granary --help | head`), or it goes to a disk that is full. */
function endQuietly(error: NodeJS.ErrnoException): void {
  if (error.code === "EPIPE") process.exit();
  tell(`granary: Nothing more can be written to standard output: ${error.message}.`);
  process.exit(1);
}

/** Nobody hears our progress any more; what was asked for is still wanted (`granary ... 2>&1 | head`). */
function goOnQuietly(): void {}
