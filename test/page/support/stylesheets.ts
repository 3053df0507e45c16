/** Owns what the stylesheets of the page say, as rules with their declarations, and the tokens of both colour schemes. */
import { readFileSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";

export const PAGE = fileURLToPath(new URL("../../../src/page/", import.meta.url));

export type Stylesheet = { readonly name: string; readonly text: string };

export type Rule = {
  readonly sheet: string;
  readonly selector: string;
  readonly declarations: readonly (readonly [property: string, value: string])[];
};

/** All of them, in the order of their names. */
export async function stylesheets(): Promise<Stylesheet[]> {
  const names = (await readdir(`${PAGE}style`)).filter((name) => name.endsWith(".css")).sort();
  return names.map((name) => ({ name, text: readFileSync(`${PAGE}style/${name}`, "utf8") }));
}

/** The rules of `sheet`, those within at-rules too. */
export function rulesOf({ name, text }: Stylesheet): Rule[] {
  const plain = text.replaceAll(/\/\*[\s\S]*?\*\//g, "");
  return [...plain.matchAll(/([^{}]+)\{([^{}]*)\}/g)].map(([, selector = "", body = ""]) => ({
    sheet: name,
    selector: selector.trim(),
    declarations: body.split(";").flatMap((line) => {
      const [, property, value] = /^\s*([\w-]+)\s*:\s*([\s\S]+?)\s*$/.exec(line) ?? [];
      return property === undefined || value === undefined ? [] : [[property, value] as const];
    }),
  }));
}

/** The colours of tokens.css by their names without "--", as "#rrggbb". */
export function coloursOf({ text }: Stylesheet, scheme: "light" | "dark"): ReadonlyMap<string, string> {
  const pairs = text.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g);
  return new Map(
    [...pairs].map(([, name = "", light = "", dark = ""]) => [name, scheme === "light" ? light : dark]),
  );
}

/** The contrast of two colours, 1 to 21 (https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio). */
export function contrast(one: string, other: string): number {
  const [dark = 0, light = 0] = [luminance(one), luminance(other)].sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}

function luminance(colour: string): number {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
