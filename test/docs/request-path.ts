/**
 * Owns the observation of which files of the code work for a request: those of which a function is called while it is answered, by the
 * engine's own count. What a background task does at the same time is counted as well.
 */
import { Session } from "node:inspector/promises";

/** Runs `work`, and returns the files below src/ (named from there) in which a function was called. Sorted. */
export async function filesThatWork(work: () => Promise<void>): Promise<string[]> {
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });
    await session.post("Profiler.takePreciseCoverage");
    await work();
    const { result } = await session.post("Profiler.takePreciseCoverage");
    const called = result.filter(({ functions }) =>
      functions.some(({ ranges }) => (ranges[0]?.count ?? 0) > 0),
    );
    return called.flatMap(({ url }) => /\/src\/([\w/-]+\.ts)(?:\?.*)?$/.exec(url)?.[1] ?? []).sort();
  } finally {
    session.disconnect();
  }
}
