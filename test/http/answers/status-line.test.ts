/** Shows that whoever pulls reads why it failed, also in clients that show the status line alone. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GranaryError } from "../../../src/errors.ts";
import { type MemoryServer, serveMemory } from "../../support/serve-memory.ts";
import { ask } from "../../support/wire.ts";

describe("the status line of an error", () => {
  let server: MemoryServer;
  beforeEach(async () => {
    server = await serveMemory();
  });
  afterEach(() => server.close());

  const lineOf = async (method: string, failure: Error) => {
    server.mirror.failure = failure;
    const { status, reason } = await ask(server.hub, "/v2/library/x/manifests/1", { method });
    return `${status} ${reason}`;
  };

  test.each(["GET", "HEAD"])("of a %s says what the body says", async (method) => {
    const offline = new GranaryError("upstream-unavailable", "docker.io is set offline.");
    expect(await lineOf(method, offline)).toBe("502 Bad Gateway: docker.io is set offline.");
    expect(await lineOf(method, new GranaryError("denied", "x is denied (by granary deny)."))).toBe(
      "403 Forbidden: x is denied (by granary deny).",
    );
  });

  test("has a registry's own words of a refusal", async () => {
    const told = [{ code: "DENIED", message: "requested access to the resource is denied" }];
    const refused = new GranaryError("upstream-refused", "402", { upstreamStatus: 402, told });
    expect(await lineOf("GET", refused)).toBe(
      "402 Payment Required: requested access to the resource is denied",
    );
  });

  test("is one short line of plain characters, whatever others wrote", async () => {
    const line = await lineOf(
      "GET",
      new GranaryError("denied", `grün\r\nX-Evil: 1\r\n\r\n${"x".repeat(5_000)}`),
    );
    expect(line).toMatch(/^403 Forbidden: gr n {2}X-Evil: 1 {4}x+\.\.\.$/);
    expect(line.length).toBeLessThan(600);
  });

  test("tells nothing of a failure of ours, and is the usual one where all is well", async () => {
    expect(await lineOf("GET", new TypeError("cannot read secret-thing"))).toBe(
      "500 Internal Server Error: internal error",
    );
    const { status, reason } = await ask(server.hub, "/v2/");
    expect(`${status} ${reason}`).toBe("200 OK");
  });
});
