/** Shows that docs/library.md names every function of the library, and with each its first name, which is the same function. */
import { expect, it } from "vitest";
import * as library from "../../src/index.ts";
import { readPage, rowsUnder } from "./markdown.ts";

const surface: Readonly<Record<string, unknown>> = { ...library };

async function rows(): Promise<readonly (readonly [name: string, first: string])[]> {
  const cells = rowsUnder(await readPage("docs/library.md"), "function");
  return cells.map(([name = "", , first = ""]) => [name.replaceAll("`", ""), first.replaceAll("`", "")]);
}

it("lists every function that the index exports, and no other", async () => {
  const functions = Object.entries(surface).filter(
    ([name, value]) => typeof value === "function" && name !== "GranaryError",
  );
  const listed = (await rows()).flat().filter((name) => name !== "");
  expect(listed.toSorted()).toEqual(functions.map(([name]) => name).toSorted());
});

it("gives first names to the functions that they are", async () => {
  const named = (await rows()).filter(([, first]) => first !== "");
  expect(named.length).toBeGreaterThanOrEqual(10);
  for (const [name, first] of named) expect(surface[first], first).toBe(surface[name]);
});
