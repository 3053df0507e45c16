#!/usr/bin/env node
/*
 * The launcher. Plain, old syntax only: a Node that is too old must get this far and hear one clear sentence.
 * It owns nothing else; main is the program, as JavaScript where it was built and as TypeScript in a checkout.
 */
// biome-ignore lint/style/useNodejsImportProtocol: Node before 14.18 does not know "node:" and would show a stack trace.
import { existsSync } from "fs";
// biome-ignore lint/style/useNodejsImportProtocol: the same.
import { cpus } from "os";
// biome-ignore lint/style/useNodejsImportProtocol: the same.
import { setFlagsFromString } from "v8";

var WANTED = [22, 19];
var found = process.versions.node.split(".").map(Number);
var isTooOld = found[0] < WANTED[0] || (found[0] === WANTED[0] && found[1] < WANTED[1]);

var built = new URL("./main.js", import.meta.url);
var main = existsSync(built) ? built : new URL("./main.ts", import.meta.url);

if (isTooOld) {
  process.stderr.write(
    "granary needs Node.js " +
      WANTED.join(".") +
      " or newer and this is " +
      process.versions.node +
      ": install Node.js 24, or start it with `npm start`, which brings its own.\n"
  );
  process.exitCode = 1;
} else {
  /*
   * The verbs collect young objects early, before they pile up: an extraction of a gigabyte peaks at 135 MB in place of 160 to 190,
   * for a tenth more processor time. It works only before the program is loaded, and a server is better off without.
   */
  if (process.argv[2] !== "serve") setFlagsFromString("--semi-space-growth-factor=1");
  /*
   * Node has four threads for files, however many cores there are. It reads the number when the first of them starts.
   */
  if (process.env.UV_THREADPOOL_SIZE === undefined)
    process.env.UV_THREADPOOL_SIZE = String(Math.max(4, cpus().length));
  import(main.href).then(function (program) {
    return program.main(process.argv);
  });
}
