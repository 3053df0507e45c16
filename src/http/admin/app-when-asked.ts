/**
 * Owns when the admin application is made: when somebody first asks. Its schemas, routes and pages take a tenth of a second, for which no client
 * of a registry waits then, and memory that a server has for other things when nobody looks at it. It must never keep a failure: what could
 * not be loaded (no file descriptor was free, say) is loaded by the next request.
 */
import type { AnsweringApp } from "./app-kind.ts";

/** `make` is called once for all requests, again only after it failed; who asked meanwhile gets what it threw. */
export function appWhenAsked(make: () => Promise<AnsweringApp>): AnsweringApp {
  let app: Promise<AnsweringApp> | undefined;
  const made = () => {
    app ??= make().catch((error: unknown) => {
      app = undefined;
      throw error;
    });
    return app;
  };
  return { fetch: async (...asked) => (await made()).fetch(...asked) };
}
