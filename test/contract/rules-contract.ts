/** Owns the contract of every RuleRows: what metadata/rule-rows.ts promises, run once per backend. */
import { describe, expect, test } from "vitest";
import type { RuleRows } from "../../src/metadata/rule-rows.ts";

/** `open` gives one without rules. */
export function rulesContract(backend: string, open: () => Promise<RuleRows>): void {
  describe(`${backend}: rules`, () => {
    const rule = (pattern: string, madeAt: number, kind = "keep") => ({
      ...{ kind, pattern, detail: undefined, madeAt },
    });

    test("are what was recorded last of a kind and pattern, oldest first, until they are taken back", async () => {
      const rules = await open();
      expect(await rules.of("keep")).toEqual([]);
      await rules.record(rule("b/**", 5));
      await rules.record(rule("a/**", 5));
      await rules.record(rule("c/**", 2));
      await rules.record(rule("c/**", 1, "deny"));
      await rules.record({ ...rule("b/**", 9), detail: '{"until":7}' });
      expect(await rules.of("keep")).toEqual([
        rule("c/**", 2),
        rule("a/**", 5),
        { ...rule("b/**", 9), detail: '{"until":7}' },
      ]);
      expect(await rules.forget("keep", "c/**")).toBe(true);
      expect(await rules.forget("keep", "c/**")).toBe(false);
      expect((await rules.of("keep")).map(({ pattern }) => pattern)).toEqual(["a/**", "b/**"]);
      expect(await rules.of("deny")).toEqual([rule("c/**", 1, "deny")]);
    });

    test("of one kind are refused when there are too many to oversee; those that are there can be changed", async () => {
      const rules = await open();
      for (let from = 0; from < 5_000; from += 100)
        await Promise.all(Array.from({ length: 100 }, (_, n) => rules.record(rule(`p${from + n}`, 1))));
      await expect(rules.record(rule("one more", 1))).rejects.toMatchObject({ code: "config-invalid" });
      await rules.record(rule("p17", 2));
      await rules.record(rule("one more", 1, "deny"));
      expect(await rules.of("keep")).toHaveLength(5_000);
      await rules.forget("keep", "p17");
      await rules.record(rule("one more", 1));
    });
  });
}
