/** Owns what the doctor says: one sentence for each thing that was looked at, and what to do where it is wrong. Plain data. */

export type Observation = {
  /** What was looked at: "settings", "upstream docker.io", "docker". */
  readonly area: string;
  /** "note": it works, and somebody may want to know this. Only "wrong" makes the whole wrong. */
  readonly level: "good" | "note" | "wrong";
  /** A sentence. */
  readonly text: string;
  /** What to do about it, a sentence. */
  readonly todo?: string;
};

/** Findings of one area. */
export type Says = {
  good(text: string): Observation;
  note(text: string, todo?: string): Observation;
  wrong(text: string, todo?: string): Observation;
};

export function says(area: string): Says {
  const finding = (level: Observation["level"]) => (text: string, todo?: string) => ({
    area,
    level,
    text,
    ...(todo !== undefined && { todo }),
  });
  return { good: finding("good"), note: finding("note"), wrong: finding("wrong") };
}

/** A sentence that carries its own advice ("...: do this") stays one sentence. A name at its beginning (ghcr.io) stays as it is. */
export function sentence(text: string): string {
  const whole = text.trim();
  const begin = /^(?:https?:|\S*\.\S)/.test(whole) ? whole.slice(0, 1) : whole.slice(0, 1).toUpperCase();
  return `${begin}${whole.slice(1)}${/[.!?]$/.test(whole) ? "" : "."}`;
}
