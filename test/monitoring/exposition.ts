/** Owns how tests read the text of `/metrics`: its families with their types and helps, and its samples. */

export type Sample = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
};

export type Exposition = {
  readonly samples: readonly Sample[];
  /** By the name of a family: `counter`, `gauge`, `histogram`. */
  readonly types: ReadonlyMap<string, string>;
  readonly helps: ReadonlyMap<string, string>;
};

export function readExposition(text: string): Exposition {
  const linesOf = (mark: string) =>
    [...text.matchAll(new RegExp(`^# ${mark} (\\S+) (.*)$`, "gm"))].map(
      ([, name = "", rest = ""]) => [name, rest] as const,
    );
  const lines = text.matchAll(/^(?<name>[a-zA-Z_:][\w:]*)(?:\{(?<labels>.*)\})? (?<value>\S+)$/gm);
  const samples = [...lines].map(({ groups = {} }) => ({
    name: groups.name ?? "",
    labels: labelsOf(groups.labels ?? ""),
    value: numberOf(groups.value ?? ""),
  }));
  return { samples, types: new Map(linesOf("TYPE")), helps: new Map(linesOf("HELP")) };
}

function labelsOf(text: string): Record<string, string> {
  const found = text.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g);
  return Object.fromEntries([...found].map(([, name = "", value = ""]) => [name, value]));
}

function numberOf(text: string): number {
  return text === "+Inf" ? Number.POSITIVE_INFINITY : Number(text);
}

/** The family that a sample belongs to: its own name, or that of its histogram. */
export function familyOf(name: string, { types }: Pick<Exposition, "types">): string {
  const [base = name] = name.split(/_(?:bucket|sum|count)$/);
  return types.get(base) === "histogram" ? base : name;
}
