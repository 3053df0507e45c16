/** Owns how the page asks the admin face. What goes wrong is an ApiError with the sentence that a person reads; who is logged out is led to the login page. */

export class ApiError extends Error {
  /** @param {string} code of GranaryError, or "unreachable" @param {string} message */
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

/** @returns {never} */
function unreachable() {
  throw new ApiError("unreachable", "Granary does not answer.");
}

/** To the login page; the view is remembered (route.js), and who has logged in goes on there. Nothing is shown of a page that goes. @returns {Promise<never>} */
function leave() {
  location.assign("/login");
  return new Promise(() => {});
}

/**
 * A good answer whose body is not read yet.
 * @param {string} path
 * @param {RequestInit} init
 */
export async function answerTo(path, init) {
  const answer = await fetch(path, init).catch(unreachable);
  if (answer.ok) return answer;
  if (answer.status === 401) return await leave();
  const body = await answer.json().catch(() => undefined);
  throw new ApiError(
    body?.error?.code ?? "unknown",
    body?.error?.message ??
      `Something between this browser and Granary answered with the status ${answer.status}.`,
  );
}

/**
 * @param {string} path
 * @param {RequestInit} init
 * @returns {Promise<any>}
 */
async function ask(path, init) {
  // What is refused is part of how people work, and no fault of the page, which browsers would tell on the console.
  const headers = { Accept: "application/json", Prefer: "errors=200", ...init.headers };
  const answer = await answerTo(path, { ...init, headers });
  // A body that breaks off, or is of somebody else.
  const body = await answer.json().catch(unreachable);
  if (body?.error !== undefined) throw new ApiError(body.error.code, body.error.message);
  return body;
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
