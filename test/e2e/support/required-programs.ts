/**
 * Owns the decision what happens where an outside program is not installed: on a user's machine its tests are
 * skipped with a notice; with GRANARY_REQUIRE_CLIENTS=1 they fail, but for programs that GRANARY_WITHOUT_CLIENTS names: whoever
 * tried to bring them has said why they cannot be had. A skip must never be silent.
 */
import { accessSync, constants } from "node:fs";
import { delimiter, join } from "node:path";
import { describe, test } from "vitest";

/** Like `describe`, for tests that need `programs` and root. */
export function describeWith(programs: readonly string[], title: string, define: () => void): void {
  const isRoot = process.getuid?.() === 0;
  describeUnless([...missing(programs), ...(isRoot ? [] : ["root rights"])], title, define);
}

/** The same for programs that need no rights. */
export function describeWithPrograms(programs: readonly string[], title: string, define: () => void): void {
  describeUnless(missing(programs), title, define);
}

function describeUnless(lacking: readonly string[], title: string, define: () => void): void {
  if (lacking.length === 0) {
    describe(title, define);
    return;
  }
  const notice = `${title}: not installed here: ${lacking.join(", ")}`;
  const isExcused = lacking.every((program) => excused().includes(program));
  if (process.env.GRANARY_REQUIRE_CLIENTS === "1" && !isExcused) {
    test(`${title} has the programs it needs`, () => {
      throw new Error(notice);
    });
    return;
  }
  process.stderr.write(`SKIPPED ${notice}\n`);
  const how = isExcused ? EXCUSED : "skipped";
  describe.skip(`${title} (${how}: no ${lacking.join(", ")})`, define);
}

/** Such a test counts neither as passed nor as failed. */
const EXCUSED = "cannot be had here";

function excused(): readonly string[] {
  return (process.env.GRANARY_WITHOUT_CLIENTS ?? "").split(" ").filter(Boolean);
}

function missing(programs: readonly string[]): string[] {
  return programs.filter((program) => !installed(program));
}

/** Whether `program` can be run from PATH or from where Debian keeps daemons. */
export function installed(program: string): boolean {
  const places = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  return places.some((place) => executable(join(place, program)));
}

function executable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
