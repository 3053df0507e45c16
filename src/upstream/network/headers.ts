/**
 * Owns the reading of `Link` (RFC 8288): where an answer says that its next page is. Pages of a registry are asked for by a query of its own
 * making, which is handed on and sent back as it is; of a link nothing else is taken, so that none leads to another host or path.
 */
import { answerError } from "./answer-error.ts";

/** Longer ones would not fit into a request line everywhere, and no registry needs them. */
export const MOST_QUERY = 4_000;

const TARGET = /^\s*<([^>]*)>/;
const PARAMETER = /^\s*;\s*([^\s=;,"]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]*)))?/;

/**
 * The query (without its question mark) of the next page of what `asked` was answered with; undefined when this is the last one. `path` is
 * what the link's path must end in: registries behind a front may know their own host and what stands before differently. Throws
 * `upstream-protocol` for a page that is elsewhere, or the same one again: a list that ends too early would be a wrong one.
 */
export function nextQuery(
  header: string | readonly string[] | undefined,
  asked: URL,
  path: string,
): string | undefined {
  const target = targetOf(header);
  if (target === undefined) return undefined;
  const next = URL.parse(target, asked.href);
  if (next === null || (next.pathname !== asked.pathname && !next.pathname.endsWith(path)))
    throw answerError("upstream-protocol", asked, "says that its list goes on at another path");
  const query = next.search.slice(1);
  if (query.length > MOST_QUERY)
    throw answerError(
      "upstream-protocol",
      asked,
      `says that its list goes on with more than ${MOST_QUERY} characters`,
    );
  if (query === asked.search.slice(1))
    throw answerError("upstream-protocol", asked, "says that its list goes on where it was");
  return query;
}

/** The first link to a next page, of one header or several. */
function targetOf(header: string | readonly string[] | undefined): string | undefined {
  let rest = typeof header === "string" ? header : (header ?? []).join(", ");
  while (rest !== "") {
    const found = TARGET.exec(rest);
    if (found === null) return undefined;
    rest = rest.slice(found[0].length);
    let rel: string | undefined;
    for (let parameter = PARAMETER.exec(rest); parameter !== null; parameter = PARAMETER.exec(rest)) {
      rest = rest.slice(parameter[0].length);
      const [, name = "", quoted, bare = ""] = parameter;
      if (name.toLowerCase() === "rel") rel ??= quoted ?? bare;
    }
    if (rel?.toLowerCase().split(/\s+/).includes("next") === true) return found[1] ?? "";
    rest = rest.replace(/^[^,]*,?/, "");
  }
  return undefined;
}
