/**
 * Owns the reading of YAML. Errors name line, column and key, in Granary's own words: the library's messages quote the text of the file, which
 * may be a secret. In `password: *SECRET` it is an alias, in `!SECRET` a tag.
 */
import {
  type Document,
  isAlias,
  isPair,
  isScalar,
  LineCounter,
  parseDocument,
  visit,
  type YAMLError,
} from "yaml";
import { GranaryError } from "../errors.ts";

/** The document as plain values. Throws `config-invalid` with a message that begins with `file`. */
export function readYaml(text: string, file: string): unknown {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines });
  const [problem] = [...document.errors, ...document.warnings];
  const alias = brokenAlias(document);
  const place = problem?.pos[0] ?? alias;
  if (place !== undefined)
    throw invalid(file, document, lines, place, wordsFor(problem?.code ?? "BAD_ALIAS"));
  try {
    return document.toJS();
  } catch {
    // The only known causes that are left are aliases: to themselves, or so many that a few lines become gigabytes.
    throw new GranaryError("config-invalid", `${file} is not YAML: ${wordsFor("BAD_ALIAS")}.`);
  }
}

/** The offset of the first alias (`*name`) that has no anchor (`&name`) before it, or that lies inside the value of its anchor. */
function brokenAlias(document: Document): number | undefined {
  let found: number | undefined;
  visit(document, {
    Alias: (_, alias, ancestors) => {
      const meant = alias.resolve(document);
      if (meant !== undefined && !ancestors.includes(meant)) return undefined;
      found = alias.range?.[0];
      return visit.BREAK;
    },
  });
  return found;
}

type Code = YAMLError["code"];

/** What is wrong, in words. For any other code the message has only line and column. */
const WORDS: Partial<Record<Code, string>> = {
  ALIAS_PROPS: "an alias (*) has a tag or an anchor",
  BAD_ALIAS: "an alias (*) leads to no anchor (&); a value that begins with * goes in quotes",
  BAD_DQ_ESCAPE: 'a "..." text has a \\ that is no valid escape; write the text in single quotes',
  BAD_INDENT: "the indentation does not fit the lines above",
  BAD_SCALAR_START: "a value begins with a character that is reserved in YAML; put the value in quotes",
  DUPLICATE_KEY: "the same key is there twice",
  MISSING_CHAR: "a bracket, a quote, a comma, or the space after a colon is missing",
  MULTILINE_IMPLICIT_KEY: "a colon with a space after it is missing on the line above",
  MULTIPLE_DOCS: "there is more than one document",
  TAB_AS_INDENT: "lines are indented with tabs; use spaces",
  TAG_RESOLVE_FAILED: "a tag (!) that is not known; a value that begins with ! goes in quotes",
  UNEXPECTED_TOKEN: "something is there that is not expected at this place",
};

function wordsFor(code: Code): string {
  return WORDS[code] ?? "it cannot be read";
}

/** "granary.yaml is not YAML: line 3, column 15 (upstreams.docker.io.password): an alias (*) …". */
function invalid(
  file: string,
  document: Document,
  lines: LineCounter,
  offset: number,
  words: string,
): GranaryError {
  const { line, col } = lines.linePos(offset);
  const path = pathAt(document, offset);
  const at = path === "" ? "" : ` (${path})`;
  return new GranaryError(
    "config-invalid",
    `${file} is not YAML: line ${line}, column ${col}${at}: ${words}.`,
  );
}

/** The key of the value at `offset`; "" when a part of it does not look like a key, since that may be a misplaced value. */
function pathAt(document: Document, offset: number): string {
  let path: readonly string[] = [];
  visit(document, {
    Pair: (_, pair, ancestors) => {
      const start = isScalar(pair.key) ? pair.key.range?.[0] : undefined;
      const end = isAlias(pair.value) || isScalar(pair.value) ? pair.value.range?.[2] : undefined;
      if (start === undefined || end === undefined || offset < start || offset > end) return undefined;
      const keys = [...ancestors.filter(isPair), pair].map(({ key }) =>
        isScalar(key) ? String(key.value) : "…",
      );
      path = keys.every((key) => /^[\w.:-]+$/.test(key)) ? keys : [];
      return visit.BREAK;
    },
  });
  return path.join(".");
}
