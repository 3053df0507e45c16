/** Shows that the page's style is made of its tokens alone, that everybody can read it, and that nothing of it is left over. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { coloursOf, contrast, PAGE, rulesOf, stylesheets } from "./support/stylesheets.ts";

const sheets = await stylesheets();
const tokens = sheets.find(({ name }) => name === "tokens.css") ?? { name: "", text: "" };
const rules = sheets.flatMap(rulesOf);
const others = rules.filter(({ sheet }) => sheet !== "tokens.css");
const scripts = (await readdir(PAGE, { recursive: true }))
  .filter((name) => /\.(?:js|html)$/.test(name))
  .map((name) => ({ name, text: readFileSync(`${PAGE}${name}`, "utf8") }));
const index = scripts.find(({ name }) => name === "index.html")?.text ?? "";

const GROUNDS = ["ground", "surface", "raised", "harvest"];
const TEXTS = ["text", "quiet", "accent", "good", "note", "bad"];
/** What has to be told from the ground that it is on: marks, lines of a chart, the border of what can be written into. */
const MARKS = ["served", "fetched", "field", "good", "note", "bad", "accent"];
/** What is written on something that is no ground: the main button, the number of troubles, the sentence after a change. */
const OTHER_TEXTS = [
  ["on-accent", "accent"],
  ["surface", "bad"],
  ["ground", "text"],
  ["ground", "accent"],
] as const;

/** Classes by which tests find a thing that looks like others. */
const HOOKS = ["arrival-line"];

describe.each(["light", "dark"] as const)("in the %s scheme", (scheme) => {
  const colours = coloursOf(tokens, scheme);
  const between = (one: string, other: string) =>
    contrast(colours.get(one) ?? "#000000", colours.get(other) ?? "#000000");

  test("each text can be read on each ground", () => {
    const pairs = [
      ...TEXTS.flatMap((text) => GROUNDS.map((ground) => [text, ground] as const)),
      ...OTHER_TEXTS,
    ];
    for (const [text, ground] of pairs)
      expect(between(text, ground), `${text} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  });

  test("each mark can be told from each ground", () => {
    for (const mark of MARKS)
      for (const ground of GROUNDS)
        expect(between(mark, ground), `${mark} on ${ground}`).toBeGreaterThanOrEqual(3);
  });
});

describe("the scales", () => {
  test("only tokens.css names a colour, a size of type or a space", () => {
    const isColour = /#[0-9a-f]{3,8}\b|\b(?:rgb|hsl|oklch|oklab|lab|lch|light-dark)a?\(/i;
    const isSpaced = /^(?:padding|margin|gap|row-gap|column-gap)/;
    // A space is a token, or made of tokens and of what the device keeps for itself; a bar at the bottom is stepped over in its own height.
    const isSpace =
      /^(?:0|auto|-?1px|[\d.]+vh|var\(--space-\d\)|calc\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))$/;
    const wrong = others.flatMap(({ sheet, selector, declarations }) =>
      declarations.flatMap(([property, value]) => {
        const isWrong =
          isColour.test(value) ||
          (property === "font-size" && !/^(?:var\(--type-[\w-]+\)|inherit)$/.test(value)) ||
          (property === "font-weight" && !/^(?:var\(--\w+\)|inherit)$/.test(value)) ||
          (isSpaced.test(property) && !parts(value).every((part) => isSpace.test(part)));
        return isWrong ? [`${sheet} ${selector}: ${property}: ${value}`] : [];
      }),
    );
    expect(wrong).toEqual([]);
  });

  test("each token that is used is there, and each that is there is used", () => {
    const defined = new Set([...tokens.text.matchAll(/--([\w-]+):/g)].map(([, name]) => name));
    const all = [...sheets, ...scripts].map(({ text }) => text).join("\n");
    const named = new Set([...all.matchAll(/var\(--([\w-]+)/g)].map(([, name]) => name));
    expect([...named].filter((name) => !defined.has(name))).toEqual([]);
    // Scripts that draw read colours by their names.
    const unused = [...defined].filter((name) => !named.has(name) && !all.includes(`"--${name}"`));
    expect(unused).toEqual([]);
  });

  test("what moves stops for who does not want that", () => {
    for (const { sheet, selector, declarations } of rules)
      for (const [property, value] of declarations) {
        if (property.startsWith("transition"))
          expect(value, `${sheet} ${selector}`).toMatch(/var\(--quick\)|none/);
        // What appears at once after a wait does not move.
        if (property.startsWith("animation") && !/\b1ms\b/.test(value))
          expect(stillOrMoving(sheet), `${sheet} ${selector}`).toContain(selector);
      }
  });
});

describe("the stylesheets", () => {
  test("each opens with what it owns, and the page links all of them, the tokens first", () => {
    for (const { name, text } of sheets) expect(text, name).toMatch(/^\/\* Owns /);
    const linked = [...index.matchAll(/\/page\/style\/([\w-]+\.css)/g)].map(([, name]) => name);
    expect(linked.toSorted()).toEqual(sheets.map(({ name }) => name));
    expect(linked[0]).toBe("tokens.css");
  });

  test("no two of them style one class by its name alone: a view would change how another looks", () => {
    const homes = new Map<string, Set<string>>();
    for (const { sheet, selector } of others.filter((rule) => rule.sheet !== "media.css"))
      for (const one of selector.split(/,\s*/).filter((part) => /^\.[\w-]+$/.test(part)))
        homes.set(one, (homes.get(one) ?? new Set()).add(sheet));
    const shared = [...homes].filter(([, names]) => names.size > 1);
    expect(shared.map(([one, names]) => `${one}: ${[...names].join(", ")}`)).toEqual([]);
  });

  test("no class is left over, and none is missing", () => {
    const styled = new Set(
      others.flatMap(({ selector }) =>
        [...selector.matchAll(/\.([a-z][\w-]*)/g)].map(([, name = ""]) => name),
      ),
    );
    const all = scripts.map(({ text }) => text).join("\n");
    const unused = [...styled].filter(
      (name) => !name.startsWith("u-") && !new RegExp(`[\\s"'\`]${name}[\\s"'\`$]`).test(all),
    );
    expect(unused).toEqual([]);
    const used = scripts.flatMap(({ name, text }) => usedClasses(text).map((one) => [name, one] as const));
    const missing = used
      .filter(([, one]) => !styled.has(one) && !HOOKS.includes(one))
      .map((pair) => pair.join(": "));
    expect(missing).toEqual([]);
  });
});

/** The parts of a value between spaces; what is in brackets is one. */
function parts(value: string): string[] {
  return value.match(/(?:[^\s()]|\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\))+/g) ?? [];
}

/** What a sheet says for people who want no motion, and for those who do not mind. */
function stillOrMoving(name: string): string {
  const text = sheets.find((sheet) => sheet.name === name)?.text ?? "";
  return text
    .split(/@media \(prefers-reduced-motion: (?:no-preference|reduce)\)/)
    .slice(1)
    .join("\n");
}

/** Classes that stand in a script as they are: those that are put together from pieces are left out. */
function usedClasses(text: string): string[] {
  return [...text.matchAll(/\bclass="([^"$]*)"|\bclass=\$\{`([^`]*)`\}/g)].flatMap(([, plain, pieced]) =>
    (plain ?? pieced?.replaceAll(/\S*\$\{[^}]*\}\S*/g, " ") ?? "").split(/\s+/).filter(Boolean),
  );
}
