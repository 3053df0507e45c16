/** Owns the two C programs: compiles them on the spot into the bench's own directory. */
import { join } from "node:path";
import { runCommand } from "./children.ts";
import { findCommand } from "./find-command.ts";

/** Compiles native/`name`.c and returns the path of the program. */
export async function compile(name: "load" | "upstream", directory: string): Promise<string> {
  const compiler = findCommand("cc");
  if (!compiler)
    throw new Error("The bench needs a C compiler (cc); on Debian: apt-get install gcc libc6-dev.");
  const program = join(directory, name);
  await runCommand(compiler, ["-O2", "-o", program, join(import.meta.dirname, "..", "native", `${name}.c`)]);
  return program;
}
