/**
 * Owns what the rules that allow and deny say of a name: of a whole repository, of a tag or a digest in it. `deny` beats `allow`; where anything
 * is allowed of an upstream, nothing else of it passes. Pure: how a client came to a digest is passage.ts's.
 */
import type { RepositoryKey } from "../../metadata/metadata.ts";
import type { Digest } from "../../oci/digest.ts";
import { matches, type NamePattern } from "../../routing/name-pattern.ts";

export type PassageRule = {
  readonly kind: "allow" | "deny";
  readonly pattern: NamePattern;
  /** Rules of the settings are taken back there. */
  readonly from: "settings" | "command";
};

/** The rules that speak of one repository. */
export type Local = {
  readonly denied: readonly PassageRule[];
  readonly allowed: readonly PassageRule[];
  /** Something of this upstream is allowed, so the rest of it is not. */
  readonly isListed: boolean;
};

export const NO_RULES: Local = { denied: [], allowed: [], isListed: false };
/** Why a name may not pass under `rules`; undefined where it may. Pure. */
export function refusalUnder(
  rules: readonly PassageRule[],
  name: RepositoryKey & { readonly tag?: string; readonly digest?: Digest },
): string | undefined {
  return refusalOfName(localOf(rules, whereOf(name)), name);
}

export function localOf(rules: readonly PassageRule[], where: RepositoryKey): Local {
  const here = rules.filter(({ pattern }) => isIn(pattern, where));
  const denied = here.filter(({ kind }) => kind === "deny");
  const allowed = here.filter(({ kind }) => kind === "allow");
  const isListed = rules.some(
    ({ kind, pattern }) => kind === "allow" && isIn({ ...pattern, repository: "**" }, where),
  );
  return denied.length === 0 && !isListed ? NO_RULES : { denied, allowed, isListed };
}

/** Whether the repository is one that `pattern` speaks of, whatever tag or digest it names there. */
function isIn(pattern: NamePattern, where: RepositoryKey): boolean {
  return matches({ ...pattern, tag: undefined, digest: undefined }, where);
}

export function deniesTags({ denied }: Local): boolean {
  return denied.some(({ pattern }) => pattern.tag !== undefined);
}

export function isWholeRepository({ tag, digest }: NamePattern): boolean {
  return tag === undefined && digest === undefined;
}

/** As far as the rules can be told without the digest: such an allowance may be the right one, such a denial is not yet. */
export function withoutDigests({ denied, allowed, isListed }: Local): Local {
  const open = allowed.map((rule) => ({ ...rule, pattern: { ...rule.pattern, digest: undefined } }));
  return { denied: denied.filter(({ pattern }) => pattern.digest === undefined), allowed: open, isListed };
}

export function refusalOfRepository(
  { denied, allowed, isListed }: Local,
  where: RepositoryKey,
): string | undefined {
  const rule = denied.find(({ pattern }) => isWholeRepository(pattern));
  if (rule !== undefined) return because(rule);
  return isListed && allowed.length === 0 ? notAmong(where) : undefined;
}

export function refusalOfName(
  local: Local,
  name: RepositoryKey & { readonly tag?: string; readonly digest?: Digest },
): string | undefined {
  const rule = local.denied.find(({ pattern }) => matches(pattern, name));
  if (rule !== undefined) return because(rule);
  if (!local.isListed || local.allowed.some(({ pattern }) => matches(pattern, name))) return undefined;
  return notAmong(name);
}

export function because({ pattern, from }: PassageRule): string {
  return `${pattern.text} is denied (${from === "settings" ? "in the settings" : "by granary deny"})`;
}

function notAmong({ upstream }: RepositoryKey): string {
  return `it is not among what is allowed of ${upstream}`;
}

export function whereOf({ upstream, repository }: RepositoryKey): RepositoryKey {
  return { upstream, repository };
}
