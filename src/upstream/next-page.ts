/** Owns the reading of `Link: <...>; rel="next"` in tag lists. Only the query is taken: the host in it is not trusted. */

export type NextPage = { readonly n: string | undefined; readonly last: string | undefined };

export function parseNextPage(header: string | string[] | undefined): NextPage | undefined {
  const links = String(header ?? "").matchAll(/<([^>]*)>((?:\s*;\s*[^,;]+)*)/g);
  for (const [, target = "", parameters = ""] of links) {
    if (!/;\s*rel\s*=\s*"?next"?/i.test(parameters)) continue;
    const query = URL.parse(target, "http://upstream")?.searchParams;
    return { n: query?.get("n") ?? undefined, last: query?.get("last") ?? undefined };
  }
  return undefined;
}
