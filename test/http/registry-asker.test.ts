/** Shows what a face tells the Mirror of a client's login. */
import { expect, test } from "vitest";
import { askerOf, type ClientLogin } from "../../src/http/registry/registry-routes.ts";
import { RequestLog } from "../../src/http/request-log.ts";
import { systemClock } from "../../src/observe/clock.ts";
import { silentLog } from "../../src/observe/log.ts";
import { createMetrics } from "../../src/observe/metrics.ts";

function asker(login: ClientLogin) {
  const requests = new RequestLog({ log: silentLog, metrics: createMetrics(), clock: systemClock });
  return askerOf(requests.open("192.0.2.1"), "podman", login);
}

test("a client that logged in here is told as such, and nothing that it showed goes on", () => {
  const verified = { loggedIn: true, authorization: "Basic of-granary" } as const;
  expect(asker(verified)).toMatchObject({ loggedIn: true, client: "192.0.2.1", userAgent: "podman" });
  expect(asker(verified).authorization).toBeUndefined();
});

test("what a client shows where nobody asks for a login goes on as it is, and proves nothing by itself", () => {
  const shown = { loggedIn: false, authorization: "Whatever it is" } as const;
  expect(asker(shown)).toMatchObject(shown);
});
