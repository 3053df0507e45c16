/** Owns the following of redirects as Go's client does it: at most ten, and a rule that may stop or forbid one. */
import { drop, type ExchangeOptions, exchange, type HttpExchange } from "./http-exchange.ts";

/** What to do about a redirect: follow it, or hand the redirect itself to the caller. It may also throw. */
export type RedirectRule = (next: URL, first: URL) => "follow" | "stop";

const MOST_REDIRECTS = 10;

export async function exchangeFollowing(
  first: URL,
  options: ExchangeOptions,
  rule: RedirectRule,
): Promise<HttpExchange> {
  let url = first;
  for (let hops = 0; hops <= MOST_REDIRECTS; hops++) {
    const answer = await exchange(url, options);
    const { location } = answer.headers;
    if (![301, 302, 303, 307, 308].includes(answer.status) || location === undefined) return answer;
    const next = new URL(location, url);
    if (rule(next, first) === "stop") return answer;
    drop(answer);
    url = next;
  }
  throw new Error("stopped after 10 redirects");
}

export const followAll: RedirectRule = () => "follow";

/** The lock of 0.34.2. */
export const sameHostOnly: RedirectRule = (next, first) => {
  if (next.host !== first.host) throw new Error("blocked redirect to a different host");
  return "follow";
};

/** The probe's rule: within one host name, whatever the port. */
export const sameNameElseStop: RedirectRule = (next, first) =>
  next.hostname === first.hostname ? "follow" : "stop";
