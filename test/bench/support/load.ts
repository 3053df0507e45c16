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
  readonly firstByteWorstMs: number;
  /** What the generator itself used; near `seconds` it was the bottleneck. */
  readonly cpuSeconds: number;
  readonly error: string;
};

export type RunLoad = (load: Load) => Promise<LoadReport>;

/** `copyBytes`: the generator reads the bytes into memory, as a client does, in place of letting the kernel drop them. */
export function loadGenerator(program: string, copyBytes: boolean): RunLoad {
  return async (load) => {
    const report: LoadReport = JSON.parse(
      await runCommand(program, [...argumentsOf(load), ...(copyBytes ? ["--copy"] : [])]),
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
  if (load.head) args.push("--head");
  args.push("--timeout", String(load.timeoutSeconds ?? 60));
  return args;
}
