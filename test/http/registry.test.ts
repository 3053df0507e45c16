/** Shows the rest of the registry protocol: base endpoint, refusals, naming conventions, and the two lists. */
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { OCI_INDEX } from "../../src/oci/media-types.ts";
import { type MemoryServer, serveMemory } from "../support/serve-memory.ts";
import { ask, errorsOf, openSocket, sendRaw, until } from "../support/wire.ts";

const DIGEST = `sha256:${"ab".repeat(32)}`;

let server: MemoryServer;
beforeEach(async () => {
  server = await serveMemory();
});
afterEach(() => server.close());

describe("the base endpoint", () => {
  test.each(["/v2/", "/v2", "/docker.io/v2/", "/v2/?ns=docker.io"])(
    "%s answers {} without a redirect",
    async (path) => {
      const get = await ask(server.hub, path);
      const head = await ask(server.hub, path, { method: "HEAD" });
      const headers = {
        "content-type": "application/json",
        "content-length": "2",
        "docker-distribution-api-version": "registry/2.0",
      };
      expect(get).toMatchObject({ status: 200, headers, body: Buffer.from("{}") });
      expect(head).toMatchObject({ status: 200, headers, body: Buffer.alloc(0) });
    },
  );

  test("never asks for a login, and nothing reads what a client sends", async () => {
    for (const authorization of ["Basic Z3Vlc3Q6Z3Vlc3Q=", "garbage", "a:b:c"]) {
      const answer = await ask(server.hub, "/v2/", { headers: { authorization } });
      expect(answer.status).toBe(200);
      expect(answer.headers["www-authenticate"]).toBeUndefined();
    }
  });

  test("promises no signature store", async () => {
    expect((await ask(server.hub, "/v2/")).headers["x-registry-supports-signatures"]).toBeUndefined();
  });
});

describe("what a read-only mirror refuses", () => {
  test.each([
    ["POST", "/v2/library/x/blobs/uploads/"],
    ["PUT", "/v2/library/x/manifests/latest"],
    ["PATCH", "/v2/library/x/blobs/uploads/1"],
    ["DELETE", `/v2/library/x/manifests/${DIGEST}`],
    ["OPTIONS", "/v2/"],
  ])("%s %s is 405 with Allow, in JSON", async (method, path) => {
    const answer = await ask(server.hub, path, { method, body: "x".repeat(100_000) });
    expect(answer).toMatchObject({
      status: 405,
      headers: { allow: "GET, HEAD", "content-type": "application/json" },
    });
    expect(errorsOf(answer)[0]?.code).toBe("UNSUPPORTED");
  });

  test("leaves the connection usable after a body that nobody reads", async () => {
    const body = "x".repeat(300_000);
    const post = `POST /v2/a/blobs/uploads/ HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const get = `GET /v2/ HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody`;
    const last = "GET /v2/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    const answers = await sendRaw(server.hub, post + get + last);
    expect(answers.match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 405", "HTTP/1.1 200", "HTTP/1.1 200"]);
  });

  test("reads an endless body no further than its cap, and closes", async () => {
    const socket = await openSocket(server.hub);
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => undefined);
    socket.write("PUT /v2/a/manifests/t HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    const mebibyte = Buffer.concat([Buffer.from("100000\r\n"), Buffer.alloc(2 ** 20), Buffer.from("\r\n")]);
    let sent = 0;
    const pour = () => {
      while (!socket.destroyed && sent < 64) {
        sent++;
        if (!socket.write(mebibyte)) return void socket.once("drain", pour);
      }
    };
    pour();
    await until(() => socket.destroyed);
    expect(text).toMatch(/^HTTP\/1\.1 405 /);
    expect(text).toMatch(/\r\nConnection: close\r\n/);
  });
});

describe("a path that means nothing", () => {
  test.each([
    ["/v2/_catalog", 404, "UNSUPPORTED"],
    [`/v2/library/m/chunksums/${DIGEST}`, 404, "UNSUPPORTED"],
    ["/v2/library/m", 404, "UNSUPPORTED"],
    ["/v2/library/m/tags/lists", 404, "UNSUPPORTED"],
    ["/", 404, "UNSUPPORTED"],
    ["/favicon.ico", 404, "UNSUPPORTED"],
    ["/v2/Library/Alpine/manifests/3", 400, "NAME_INVALID"],
    ["/v2/library/../alpine/manifests/3", 400, "NAME_INVALID"],
    ["/v2/library/%2e%2e/alpine/manifests/3", 400, "NAME_INVALID"],
    ["/v2/library%2Falpine/manifests/3", 400, "NAME_INVALID"],
    ["/v2//library/alpine/manifests/3", 400, "NAME_INVALID"],
    ["/v2/library\\alpine/manifests/3", 400, "NAME_INVALID"],
    ["/v2/library/al%00pine/manifests/3", 400, "NAME_INVALID"],
    ["/v2/unknown.io/x/y/manifests/3", 404, "NAME_UNKNOWN"],
    ["/v2/x/y/manifests/3?ns=unknown.io", 404, "NAME_UNKNOWN"],
  ])("%s is %d %s in JSON, and the mirror is not asked", async (path, status, code) => {
    const answer = await ask(server.hub, path);
    expect(answer).toMatchObject({ status, headers: { "content-type": "application/json" } });
    expect(errorsOf(answer)[0]?.code).toBe(code);
    expect(server.mirror.asked).toEqual([]);
  });

  test("with a raw NUL or control character is refused by the parser or by routing", async () => {
    for (const character of ["\0", "\x01", "\x7f"]) {
      const answer = await sendRaw(
        server.hub,
        `GET /v2/a${character}b/manifests/t HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`,
      );
      expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    }
  });

  test("is counted when it names an unknown upstream", async () => {
    await ask(server.hub, "/v2/unknown.io/x/y/manifests/3");
    expect((await server.metrics.routeUnknown.get()).values[0]?.value).toBe(1);
  });
});

describe("naming the upstream", () => {
  test("all nine ways reach the same Target", async () => {
    const digest = server.mirror.addManifest("docker.io/library/alpine", ["3"], "{}");
    const paths = [
      "/v2/library/alpine/manifests/3",
      "/v2/alpine/manifests/3",
      "/v2/library/alpine/manifests/3?ns=docker.io",
      "/v2/library/alpine/manifests/3?ns=registry-1.docker.io",
      "/v2/library/alpine/manifests/3?ns=index.docker.io",
      "/v2/docker.io/library/alpine/manifests/3",
      "/v2/docker.io/alpine/manifests/3",
      "/v2/docker.io/library/alpine/manifests/3?ns=docker.io",
      "/docker.io/v2/library/alpine/manifests/3",
    ];
    for (const path of paths) {
      expect((await ask(server.hub, path)).headers["docker-content-digest"], path).toBe(digest);
    }
    expect(new Set(server.mirror.asked.map(({ target }) => JSON.stringify(target))).size).toBe(1);
  });

  test("ns is confirmed by OCI-Namespace on answers, and only then", async () => {
    server.mirror.addManifest("quay.io/org/x", ["1"], "{}");
    const named = await ask(server.hub, "/v2/org/x/manifests/1?ns=quay.io");
    expect(named).toMatchObject({ status: 200, headers: { "oci-namespace": "quay.io" } });
    expect((await ask(server.hub, "/v2/quay.io/org/x/manifests/1")).headers["oci-namespace"]).toBeUndefined();
  });

  test("a prefix that overrules ns is logged", async () => {
    await ask(server.hub, "/v2/quay.io/org/x/manifests/1?ns=docker.io");
    expect(server.mirror.asked[0]?.target.upstream).toBe("quay.io");
    expect(server.lines).toContainEqual(expect.objectContaining({ ns: "docker.io", upstream: "quay.io" }));
  });

  test("absolute-form requests are served by the host they name, unknown hosts by none", async () => {
    server.mirror.addManifest("registry.ollama.ai/library/m", ["t"], "{}");
    const served = await ask(server.hub, "http://registry.ollama.ai/v2/library/m/manifests/t");
    expect(served.status).toBe(200);
    const refused = await ask(server.hub, "http://example.com/v2/library/m/manifests/t");
    expect([refused.status, errorsOf(refused)[0]?.code]).toEqual([404, "NAME_UNKNOWN"]);
  });

  test("Host selects the upstream where a name server points here", async () => {
    server.mirror.addManifest("hf.co/User/Repo-GGUF", ["Q4_K_M"], "{}");
    const headers = { host: "huggingface.co" };
    expect((await ask(server.ollama, "/v2/User/Repo-GGUF/manifests/Q4_K_M", { headers })).status).toBe(200);
  });
});

describe("tags", () => {
  const body = Buffer.from('{"name":"library/alpine","tags":["a","b"]}');
  const release = () => {};

  test.each([
    ["/v2/library/alpine/tags/list?n=2", "/v2/library/alpine/tags/list?next_page=a%2Fb=="],
    [
      "/v2/library/alpine/tags/list?ns=docker.io&n=2&x=y",
      "/v2/library/alpine/tags/list?next_page=a%2Fb==&ns=docker.io",
    ],
    [
      "/v2/docker.io/library/alpine/tags/list?n=2",
      "/v2/docker.io/library/alpine/tags/list?next_page=a%2Fb==",
    ],
    [
      "/docker.io/v2/library/alpine/tags/list?n=2",
      "/docker.io/v2/library/alpine/tags/list?next_page=a%2Fb==",
    ],
  ])("of %s link to the next page in the client's own convention", async (path, next) => {
    server.mirror.tagsAnswer = {
      body,
      release,
      next: "next_page=a%2Fb==",
      outcome: "miss",
      warning: undefined,
      checkedAt: 0,
    };
    const answer = await ask(server.hub, path);
    expect(answer).toMatchObject({
      status: 200,
      headers: { link: `<${next}>; rel="next"`, "content-type": "application/json" },
      body,
    });
    expect(server.mirror.asked[0]?.target).toMatchObject({
      kind: "tags",
      query: path.includes("x=y") ? "n=2&x=y" : "n=2",
    });
  });

  test("on the last page have no Link, and say when they are stale", async () => {
    const facts = { outcome: "stale", warning: "upstream down", checkedAt: 0 } as const;
    server.mirror.tagsAnswer = { body, release, next: undefined, ...facts };
    const { headers } = await ask(server.hub, "/v2/alpine/tags/list?n=0");
    expect(headers.link).toBeUndefined();
    expect(headers.warning).toBe('299 - "upstream down"');
    expect(server.mirror.asked[0]?.target).toMatchObject({ query: "n=0" });
  });

  test("of an unknown repository are NAME_UNKNOWN", async () => {
    const answer = await ask(server.hub, "/v2/org/none/tags/list");
    expect([answer.status, errorsOf(answer)[0]?.code]).toEqual([404, "NAME_UNKNOWN"]);
  });
});

describe("referrers", () => {
  const body = Buffer.from('{"schemaVersion":2,"manifests":[]}');
  const answer = { body, release: () => {}, outcome: "miss", warning: undefined, checkedAt: 0 } as const;

  test("are an OCI index, and say that the filter was applied", async () => {
    server.mirror.referrersAnswer = { ...answer, filtered: true };
    const told = await ask(server.hub, `/v2/org/x/referrers/${DIGEST}?artifactType=a%2Fb`);
    expect(told).toMatchObject({
      status: 200,
      headers: { "content-type": OCI_INDEX, "oci-filters-applied": "artifactType" },
      body,
    });
    expect(server.mirror.asked[0]?.target).toMatchObject({ artifactType: "a/b" });
  });

  test("without a filter say nothing of one", async () => {
    server.mirror.referrersAnswer = { ...answer, filtered: false };
    const { headers } = await ask(server.hub, `/v2/org/x/referrers/${DIGEST}`);
    expect(headers["oci-filters-applied"]).toBeUndefined();
  });

  test("of a malformed digest are a 400", async () => {
    const answer = await ask(server.hub, "/v2/org/x/referrers/sha256:bad");
    expect([answer.status, errorsOf(answer)[0]?.code]).toEqual([400, "DIGEST_INVALID"]);
  });
});
