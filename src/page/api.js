/** Owns how the page asks the admin face. What goes wrong is an ApiError with the sentence that a person reads. */

class ApiError extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}

/** @typedef {Readonly<Record<string, string | number | boolean | undefined>>} Query */

/**
 * @param {string} path
 * @param {Query} [query]
 */
function address(path, query = {}) {
  const given = Object.entries(query).flatMap(([name, value]) =>
    value === undefined || value === "" ? [] : [[name, String(value)]],
  );
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given)}`;
}

/**
 * @param {string} path
 * @param {RequestInit} init
 * @returns {Promise<any>}
 */
async function ask(path, init) {
  const answer = await fetch(path, {
    ...init,
    // What is refused is part of how people work, and no fault of the page, which its browser would tell on the console.
    headers: { Accept: "application/json", Prefer: "errors=200", ...init.headers },
  }).catch(() => {
    throw new ApiError("unreachable", "Granary does not answer.");
  });
  const body = await answer.json().catch(() => undefined);
  if (answer.ok && body !== undefined && body.error === undefined) return body;
  if (answer.status === 401) location.assign("/login");
  throw new ApiError(
    body?.error?.code ?? "unknown",
    body?.error?.message ?? `Granary answered ${answer.status}.`,
  );
}

/**
 * @param {string} path
 * @param {Query} [query]
 * @param {AbortSignal} [signal]
 */
export function get(path, query, signal) {
  return ask(address(path, query), signal === undefined ? {} : { signal });
}

/**
 * @param {string} path
 * @param {unknown} [body]
 * @param {Query} [query]
 */
export function post(path, body, query) {
  const content =
    body === undefined ? {} : { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } };
  return ask(address(path, query), { method: "POST", ...content });
}

/**
 * @param {string} path
 * @param {Query} [query]
 */
export function remove(path, query) {
  return ask(address(path, query), { method: "DELETE" });
}
