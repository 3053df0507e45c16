#!/usr/bin/env node
/*
 * The launcher. Plain, old syntax only: a Node that is too old must get this far and hear one clear sentence.
 * It owns nothing else; main is the program, as JavaScript where it was built and as TypeScript in a checkout.
 */
// biome-ignore lint/style/useNodejsImportProtocol: Node before 14.18 does not know "node:" and would show a stack trace.
import { existsSync, statSync } from "fs";
// biome-ignore lint/style/useNodejsImportProtocol: the same.
import module from "module";
// biome-ignore lint/style/useNodejsImportProtocol: the same.
import { cpus, homedir } from "os";
// biome-ignore lint/style/useNodejsImportProtocol: the same.
import { join } from "path";
// biome-ignore lint/style/useNodejsImportProtocol: the same.
import { setFlagsFromString } from "v8";

var WANTED = [22, 19];
var found = process.versions.node.split(".").map(Number);
var isTooOld = found[0] < WANTED[0] || (found[0] === WANTED[0] && found[1] < WANTED[1]);

var built = new URL("./main.js", import.meta.url);
var main = existsSync(built) ? built : new URL("./main.ts", import.meta.url);

var OTHERS_WRITE = 18; // 022: group and others; octal numbers are no old syntax.

/** What moves many bytes in this process. */
var MOVING = ["artifact", "blob", "bundle", "image", "import", "model", "serve"];

/**
 * What Node compiles is kept for the next start, in the cache of this user. What is kept there is run, so nothing is where others may write,
 * and nothing where it is another user's: sudo may keep HOME. Where it cannot be written, Node goes on without; a command never fails for it.
 * $NODE_COMPILE_CACHE names another place, $NODE_DISABLE_COMPILE_CACHE switches it off.
 */
function keepCompiled() {
  var cache = process.env.XDG_CACHE_HOME;
  var place;
  var isOwn;
  try {
    place = statSync(cache || homedir());
    isOwn = !process.getuid || (place.uid === process.getuid() && (place.mode & OTHERS_WRITE) === 0);
    if (isOwn) module.enableCompileCache(join(cache || join(homedir(), ".cache"), "granary", "compiled"));
  } catch (_) {
    // There is no such place.
  }
}

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
   * What moves many bytes collects young objects early, before they pile up: an extraction of a gigabyte peaks at 135 MB in place of 160 to
   * 190, for a tenth more processor time, and a server with a hundred warm streams at 145 MB in place of 190, for none that could be measured.
   * It works only before the program is loaded. Others are better off without: with any flag set here, Node compiles its own modules anew,
   * which takes longer than a small verb.
   */
  if (MOVING.indexOf(process.argv[2]) !== -1) setFlagsFromString("--semi-space-growth-factor=1");
  // Node has four threads for files, however many cores there are. It reads the number when the first of them starts.
  if (process.env.UV_THREADPOOL_SIZE === undefined)
    process.env.UV_THREADPOOL_SIZE = String(Math.max(4, cpus().length));
  keepCompiled();
  import(main.href).then(function (program) {
    return program.main(process.argv);
  });
}
