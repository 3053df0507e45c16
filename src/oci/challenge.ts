/**
 * Owns the reading of `WWW-Authenticate` (RFC 9110, 11.6.1): one header may carry several challenges, and quoted
 * values may hold commas. Pure; what to do about a challenge is the authorizer's.
 */

export type Challenge = {
  /** Lower case: "bearer", "basic". */
  readonly scheme: string;
  /** Keys in lower case; the first of equal keys counts. */
  readonly parameters: ReadonlyMap<string, string>;
};

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const PARAMETER = new RegExp(`^(${TOKEN})\\s*=\\s*(?:"((?:[^"\\\\]|\\\\.)*)"|(${TOKEN}[^,\\s"]*))`);
const SCHEME = new RegExp(`^(${TOKEN})(?:\\s+|$)`);

/** The challenges of one answer, in order; what cannot be read is passed over. */
export function parseChallenges(header: string | readonly string[] | undefined): Challenge[] {
  const lines = typeof header === "string" ? [header] : (header ?? []);
  return lines.flatMap(parseLine);
}

function parseLine(line: string): Challenge[] {
  const challenges: { scheme: string; parameters: Map<string, string> }[] = [];
  let rest = line.trim();
  while (rest !== "") {
    const parameter = PARAMETER.exec(rest);
    const scheme = parameter === null ? SCHEME.exec(rest) : null;
    if (parameter !== null) addParameter(challenges.at(-1)?.parameters, parameter);
    else if (scheme?.[1] !== undefined) {
      challenges.push({ scheme: scheme[1].toLowerCase(), parameters: new Map() });
    }
    const taken = (parameter ?? scheme)?.[0].length ?? 1;
    rest = rest.slice(taken).replace(/^[\s,]+/, "");
  }
  return challenges;
}

function addParameter(parameters: Map<string, string> | undefined, match: RegExpExecArray): void {
  const [, key = "", quoted, bare = ""] = match;
  const name = key.toLowerCase();
  if (parameters === undefined || parameters.has(name)) return;
  parameters.set(name, quoted === undefined ? bare : quoted.replace(/\\(.)/g, "$1"));
}
