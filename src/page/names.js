/** Owns the exact names by which the API and the commands know what is stored. Pure. */

/** @typedef {{ readonly upstream: string, readonly repository: string, readonly tag?: string | undefined, readonly digest?: string | undefined }} Named */

/**
 * The whole name: a short one can mean another registry's image. A tag stands for itself, whatever its digest is now.
 * @param {Named} named
 */
export function wholeName({ upstream, repository, tag, digest }) {
  const end = tag !== undefined ? `:${tag}` : digest !== undefined ? `@${digest}` : "";
  return `${upstream}/${repository}${end}`;
}
