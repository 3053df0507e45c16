/** Shows how blobs are cut, with the sizes that were seen in the wild. */
import { expect, test } from "vitest";
import { cutIntoParts } from "./blob-part.ts";

test("Blobs are cut as Ollama cuts them", () => {
  const cut = (size: number) => cutIntoParts(size, 16, { smallest: 100e6, largest: 1000e6 });
  expect(cut(352_151_968).map(({ size }) => size)).toEqual([100e6, 100e6, 100e6, 52_151_968]);
  expect(cut(2_019_377_376).map(({ size }) => size)).toEqual(Array(16).fill(126_211_086));
  expect(cut(40e9)).toHaveLength(40);
  expect(cut(1601e6 + 1)).toHaveLength(17);
  expect(cut(0)).toEqual([]);
});
