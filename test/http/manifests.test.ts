/** Shows what a manifest looks like on the wire: the headers that each client insists on, conditions, and exact bytes. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { GranaryError } from "../../src/errors.ts";
import { DOCKER_LIST, OCI_INDEX } from "../../src/oci/media-types.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { ask, errorsOf, until } from "../support/wire.ts";

const ODD = '\ufeff{ "schemaVersion" : 2,\t"z":1,\n\n"a": [ ] }  \n';

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(() => server.close());

describe("a manifest", () => {
  test.each(["3", "digest"])(
    "by %s has the exact headers on GET and HEAD, and the same",
    async (reference) => {
      const digest = server.mirror.addManifest("docker.io/library/alpine", ["3"], ODD, {
        mediaType: OCI_INDEX,
      });
      const path = `/v2/library/alpine/manifests/${reference === "digest" ? digest : reference}`;
      const get = await ask(server.hub, path);
      const head = await ask(server.hub, path, { method: "HEAD" });
      expect(get.status).toBe(200);
      expect(get.headers).toMatchObject({
        "content-type": OCI_INDEX,
        "docker-content-digest": digest,
        "content-length": String(Buffer.byteLength(ODD)),
        etag: `"${digest}"`,
        "docker-distribution-api-version": "registry/2.0",
      });
      const { date: _, ...headHeaders } = head.headers;
      const { date: __, ...getHeaders } = get.headers;
      expect(headHeaders).toEqual(getHeaders);
      expect(head.status).toBe(200);
      expect(head.body).toHaveLength(0);
    },
  );

  test("keeps odd whitespace, key order and a byte order mark", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], ODD);
    expect((await ask(server.hub, "/v2/alpine/manifests/3")).body).toEqual(Buffer.from(ODD));
  });

  test("is never encoded or chunked, whatever the client accepts", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}".padEnd(5000));
    const headers = { "accept-encoding": "zstd;q=1.0, gzip;q=0.8, deflate;q=0.5" };
    const answer = await ask(server.hub, "/v2/alpine/manifests/3", { headers });
    expect(answer.headers["content-encoding"]).toBeUndefined();
    expect(answer.headers["transfer-encoding"]).toBeUndefined();
    expect(answer.headers["content-length"]).toBe("5000");
  });

  test("costs a HEAD no question for bytes", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    await ask(server.hub, "/v2/alpine/manifests/3", { method: "HEAD" });
    expect(server.mirror.asked.map(({ method }) => method)).toEqual(["headManifest"]);
  });

  test("ignores Range, as Docker Hub does", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "0123456789");
    const answer = await ask(server.hub, "/v2/alpine/manifests/3", { headers: { range: "bytes=0-" } });
    expect(answer).toMatchObject({ status: 200, body: Buffer.from("0123456789") });
    expect(answer.headers["content-range"]).toBeUndefined();
  });

  test.each(["alone", "quoted", "weak", "listed", "star"])(
    "answers 304 to If-None-Match, %s",
    async (form) => {
      const digest = server.mirror.addManifest("docker.io/library/alpine", ["3"], ODD);
      const forms = {
        alone: digest,
        quoted: `"${digest}"`,
        weak: `W/"${digest}"`,
        listed: `"a", "${digest}"`,
        star: "*",
      };
      const header = forms[form as keyof typeof forms];
      for (const method of ["GET", "HEAD"]) {
        const answer = await ask(server.hub, "/v2/alpine/manifests/3", {
          method,
          headers: { "if-none-match": header },
        });
        expect(answer.status).toBe(304);
        expect(answer.headers).toMatchObject({ etag: `"${digest}"`, "docker-content-digest": digest });
        expect(answer.headers["content-length"]).toBeUndefined();
        expect(answer.body).toHaveLength(0);
      }
    },
  );

  test("comes whole when If-None-Match names another", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], ODD);
    const answer = await ask(server.hub, "/v2/alpine/manifests/3", {
      headers: { "if-none-match": '"sha256:x"' },
    });
    expect(answer).toMatchObject({ status: 200, body: Buffer.from(ODD) });
  });

  test("says that it is stale, how old, and from where", async () => {
    const facts = {
      outcome: "stale",
      warning: 'stored "copy" served:\nupstream down',
      ageMs: 65_999,
    } as const;
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}", facts);
    for (const method of ["GET", "HEAD"]) {
      const { headers } = await ask(server.hub, "/v2/alpine/manifests/3", { method });
      expect(headers).toMatchObject({
        warning: '299 - "stored \\"copy\\" served: upstream down"',
        age: "65",
        "x-cache": "STALE",
      });
    }
  });

  test("of an Ollama registry carries its digest the way that registry does, others do not", async () => {
    const digest = server.mirror.addManifest("registry.ollama.ai/library/m", ["t"], "{}");
    server.mirror.addManifest("docker.io/library/m", ["t"], "{}");
    for (const method of ["GET", "HEAD"]) {
      const { headers } = await ask(server.ollama, "/v2/library/m/manifests/t", { method });
      expect(headers["ollama-content-digest"]).toBe(digest.slice("sha256:".length));
      expect(headers["docker-content-digest"]).toBe(digest);
    }
    expect(
      (await ask(server.hub, "/v2/library/m/manifests/t")).headers["ollama-content-digest"],
    ).toBeUndefined();
  });
});

describe("what the mirror is told about the client", () => {
  test.each([
    [DOCKER_LIST, [DOCKER_LIST]],
    [`${DOCKER_LIST.toUpperCase()}; q=0.5 , */*`, [DOCKER_LIST, "*/*"]],
    [
      [OCI_INDEX, DOCKER_LIST],
      [OCI_INDEX, DOCKER_LIST],
    ],
    [`Accept: ${DOCKER_LIST}`, [DOCKER_LIST]],
    [`${OCI_INDEX};q=0, ${DOCKER_LIST}`, [DOCKER_LIST]],
  ])("Accept %j is read", async (accept, expected) => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    await ask(server.hub, "/v2/alpine/manifests/3", { headers: { accept } });
    expect(server.mirror.asked[0]?.asker).toMatchObject({ accept: expected });
  });

  test("no Accept is an empty list, the user agent and what it shows are passed on, and nobody is logged in", async () => {
    server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    await ask(server.hub, "/v2/alpine/manifests/3", {
      headers: { "user-agent": "ollama/0.32.15", authorization: "garbage" },
    });
    expect(server.mirror.asked[0]?.asker).toEqual({
      accept: [],
      userAgent: "ollama/0.32.15",
      client: "127.0.0.1",
      tag: "3",
      loggedIn: false,
      authorization: "garbage",
    });
  });
});

describe("a manifest that cannot be had", () => {
  test.each([
    "latest",
    `sha256-${"a".repeat(64)}`,
    `sha256-${"a".repeat(64)}.sig`,
    `sha256-${"a".repeat(64)}.att`,
  ])("%s is MANIFEST_UNKNOWN, which is what lets podman go on", async (tag) => {
    const answer = await ask(server.hub, `/v2/nobody/nothing/manifests/${tag}`);
    expect(answer.status).toBe(404);
    expect(answer.headers["content-type"]).toBe("application/json");
    expect(errorsOf(answer)[0]?.code).toBe("MANIFEST_UNKNOWN");
  });

  test("a tag that cannot exist is 404, a digest that cannot 400", async () => {
    const tag = await ask(server.hub, "/v2/org/x/manifests/.INVALID_MANIFEST_NAME");
    expect([tag.status, errorsOf(tag)[0]?.code]).toEqual([404, "MANIFEST_UNKNOWN"]);
    const digest = await ask(server.hub, "/v2/org/x/manifests/sha256:totallywrong", { body: "a body" });
    expect([digest.status, errorsOf(digest)[0]?.code]).toEqual([400, "DIGEST_INVALID"]);
  });

  test("HEAD has the headers of GET, and no body", async () => {
    const get = await ask(server.hub, "/v2/org/x/manifests/none");
    const head = await ask(server.hub, "/v2/org/x/manifests/none", { method: "HEAD" });
    expect(head.status).toBe(404);
    expect(head.headers["content-type"]).toBe("application/json");
    expect(head.headers["content-length"]).toBe(get.headers["content-length"]);
    expect(head.body).toHaveLength(0);
  });

  test("while the upstream limits us the policy's status is heard, with Retry-After", async () => {
    server.mirror.failure = new GranaryError("rate-limited", "Docker Hub limits us.", {
      retryAfterMs: 60_000,
    });
    const answer = await ask(server.hub, "/v2/org/x/manifests/t");
    expect(answer).toMatchObject({ status: 429, headers: { "retry-after": "60" } });
    expect(errorsOf(answer)[0]?.code).toBe("TOOMANYREQUESTS");
    await using masked = await serveMemory({ rateLimitedStatus: 503 });
    masked.mirror.failure = server.mirror.failure;
    expect((await ask(masked.hub, "/v2/org/x/manifests/t")).status).toBe(503);
  });

  test("an unreachable upstream is 502 with Retry-After, never 404", async () => {
    server.mirror.failure = new GranaryError("upstream-unavailable", "No answer.");
    expect(await ask(server.hub, "/v2/org/x/manifests/t")).toMatchObject({
      status: 502,
      headers: { "retry-after": "5" },
    });
  });

  test("the Ollama registry's refusal of an old client passes with its text", async () => {
    server.mirror.failure = new GranaryError("client-outdated", "412", {
      upstreamText: "requires a newer version",
    });
    const answer = await ask(server.ollama, "/v2/library/m/manifests/t");
    expect([answer.status, answer.body.toString()]).toEqual([412, "requires a newer version"]);
  });

  test("a failure of ours is a 500 without details, and one line in the log", async () => {
    server.mirror.failure = new TypeError("cannot read secret-thing");
    const answer = await ask(server.hub, "/v2/org/x/manifests/t");
    expect([answer.status, errorsOf(answer)[0]?.code]).toEqual([500, "UNKNOWN"]);
    expect(answer.body.toString()).not.toContain("secret-thing");
    await until(() =>
      server.lines.some((line) => line.level === "error" && JSON.stringify(line).includes("secret-thing")),
    );
  });
});
