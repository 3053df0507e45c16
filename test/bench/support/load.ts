/** Owns calls of the load generator (native/load.c): one run, one report. A run with failures throws. */
import { runCommand } from "./children.ts";

export type Load = {
  readonly port: number;
  readonly path: string;
  readonly connections?: number;
  /** Run for this long, or until every connection has made this many requests. */
  readonly seconds?: number;
  readonly requests?: number;
  /** "first-last", both inclusive, as in the Range header. */
  readonly range?: string;
  /** Each connection asks for its own part of so many bytes; with `mixed`, every second one does and the others ask for all. */
  readonly partsOf?: number;
  readonly mixed?: boolean;
  /** A file of paths, or of "path first-last": each connection asks for all of them once, or with `shared` all together for each once. */
  readonly paths?: string;
  readonly shared?: boolean;
  /** From one request of a connection to its next. */
  readonly everyMs?: number;
  readonly head?: boolean;
  /** An ETag that the client has: every answer must be 304. */
  readonly unlessMatches?: string;
  readonly timeoutSeconds?: number;
};

type LoadReport = {
  readonly seconds: number;
  /** Body bytes received. */
  readonly bytes: number;
  readonly requests: number;
  readonly failures: number;
  readonly status: number;
  readonly firstByteMs: number;
  readonly firstByteP99Ms: number;
  readonly firstByteWorstMs: number;
  /** From a request to the last byte of its answer. */
  readonly wholeMs: number;
  readonly wholeP99Ms: number;
  readonly wholeWorstMs: number;
  /** When connections had all that they asked for, seconds. */
  readonly ends: {
    readonly count: number;
    readonly first: number;
    readonly median: number;
    readonly last: number;
  };
  /** What the generator itself used; near `seconds` it was the bottleneck. */
  readonly cpuSeconds: number;
  readonly error: string;
};

/** `until` ends it early, with what there is to report by then. */
export type RunLoad = (load: Load, until?: AbortSignal) => Promise<LoadReport>;

/** `copyBytes`: the generator reads the bytes into memory, as a client does, in place of letting the kernel drop them. */
export function loadGenerator(program: string, copyBytes: boolean): RunLoad {
  return async (load, until) => {
    const report: LoadReport = JSON.parse(
      await runCommand(program, [...argumentsOf(load), ...(copyBytes ? ["--copy"] : [])], until),
    );
    if (report.failures > 0) {
      throw new Error(
        `${report.failures} of ${report.failures + report.requests} requests failed: ${report.error}`,
      );
    }
    return report;
  };
}

function argumentsOf(load: Load): string[] {
  const args = [String(load.port), load.path];
  if (load.connections !== undefined) args.push("--connections", String(load.connections));
  if (load.seconds !== undefined) args.push("--seconds", String(load.seconds));
  if (load.requests !== undefined) args.push("--requests", String(load.requests));
  if (load.range !== undefined) args.push("--range", load.range);
  if (load.partsOf !== undefined) args.push(load.mixed ? "--mixed" : "--parts", String(load.partsOf));
  if (load.unlessMatches !== undefined) args.push("--unless", load.unlessMatches);
  if (load.paths !== undefined) args.push(load.shared ? "--shared" : "--paths", load.paths);
  if (load.everyMs !== undefined) args.push("--every", String(load.everyMs));
  if (load.head) args.push("--head");
  args.push("--timeout", String(load.timeoutSeconds ?? 60));
  return args;
}
