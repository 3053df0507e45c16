/**
 * Shows who may do what through the admin listener. Every route that the OpenAPI document has is tried by those who may not, so a new route is
 * tried without a line here.
 */
import { describe, expect, test } from "vitest";
import { createAdminApp } from "../../../src/http/admin/app.ts";
import { sendRaw, type WireRequest } from "../../support/wire.ts";
import { startAdmin, TOKEN, unreachable } from "./admin-world.ts";

type Route = { readonly method: string; readonly path: string };

async function routesOf(admin: Awaited<ReturnType<typeof startAdmin>>, headers = {}): Promise<Route[]> {
  const { text } = await admin.ask("/api/v1/openapi.json", { headers });
  const { paths } = JSON.parse(text) as { paths: Record<string, object> };
  const found = Object.entries(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => ({
      method: method.toUpperCase(),
      path: path.replaceAll(/\{\w+\}/g, "1"),
    })),
  );
  expect(found.length).toBeGreaterThan(1);
  return found;
}

const BEARER = { authorization: `Bearer ${TOKEN}` };

/** Headers with which nobody may come in. */
const STRANGERS: readonly (readonly [string, Record<string, string>, number, string])[] = [
  ["as anonymous", {}, 401, "unauthorized"],
  ["with a wrong token", { authorization: `Bearer ${TOKEN}x` }, 401, "unauthorized"],
  ["with a login of another kind", { authorization: "Basic Z3JhbmFyeTpncmFuYXJ5" }, 401, "unauthorized"],
  ["with a forged cookie", { cookie: `granary-PORT=99999999999999.${"A".repeat(43)}` }, 401, "unauthorized"],
  ["with a foreign Host", { ...BEARER, host: "evil.test" }, 403, "denied"],
  ["with a foreign Origin", { ...BEARER, origin: "https://evil.test" }, 403, "denied"],
  ["with the Origin of another port", { ...BEARER, origin: "http://127.0.0.1:3000" }, 403, "denied"],
  ["with an Origin that is none", { ...BEARER, origin: "null" }, 403, "denied"],
  [
    "from another site's page",
    { ...BEARER, "sec-fetch-site": "cross-site", "sec-fetch-mode": "no-cors" },
    403,
    "denied",
  ],
];

describe("every route", () => {
  test.each(STRANGERS)("asked %s reaches nothing", async (_, headers, status, code) => {
    const { parts, reached } = unreachable();
    const admin = await startAdmin({ token: TOKEN, parts });
    const sent = Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [name, value.replace("PORT", String(admin.port))]),
    );
    await Promise.all(
      (await routesOf(admin, BEARER)).map(async ({ method, path }) => {
        const answer = await admin.ask(path, { method, headers: sent });
        expect([answer.status, answer.json?.error?.code], `${method} ${path}`).toEqual([status, code]);
        expect(answer.text).not.toContain(TOKEN);
      }),
    );
    expect(reached).toEqual([]);
  });

  test("on loopback without a token is refused to other sites all the same", async () => {
    const { parts, reached } = unreachable();
    const admin = await startAdmin({ parts });
    for (const { method, path } of await routesOf(admin)) {
      for (const headers of [
        { host: "evil.test" },
        { host: "localhost.evil.test" },
        { origin: "https://evil.test" },
        { "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" },
      ]) {
        const answer = await admin.ask(path, { method, headers });
        expect([answer.status, answer.json?.error?.code], `${method} ${path}`).toEqual([403, "denied"]);
      }
    }
    expect(reached).toEqual([]);
  });

  test("with view: anyone lets nobody change anything without the token", async () => {
    const { parts, reached } = unreachable();
    const admin = await startAdmin({ token: TOKEN, view: "anyone", parts });
    for (const { method, path } of await routesOf(admin)) {
      if (method === "GET") continue;
      const answer = await admin.ask(path, { method });
      expect([answer.status, answer.json?.error?.code], `${method} ${path}`).toEqual([401, "unauthorized"]);
    }
    expect(reached).toEqual([]);
  });
});

describe("is let in", () => {
  const tries: readonly (readonly [string, Parameters<typeof startAdmin>[0], WireRequest])[] = [
    ["who is on the machine, where no token is asked for", {}, {}],
    ["who has the token", { token: TOKEN }, { headers: BEARER }],
    ["who only reads, with view: anyone", { token: TOKEN, view: "anyone" }, {}],
    [
      "who comes by a name that the settings list",
      { hosts: ["granary.lab"] },
      { headers: { host: "Granary.lab:80" } },
    ],
    ["who comes by localhost", {}, { headers: { host: "localhost:5080" } }],
    ["who comes by an address of IPv6", {}, { headers: { host: "[2001:db8::1]:5080" } }],
    ["our own page", {}, { headers: { host: "granary.localhost:1", origin: "http://granary.localhost:1" } }],
    ["our own page behind https", {}, { headers: { host: "127.0.0.1", origin: "https://127.0.0.1" } }],
    [
      "our own page's picture",
      {},
      { headers: { "sec-fetch-site": "same-origin", "sec-fetch-mode": "no-cors" } },
    ],
    [
      "who follows a link of another site",
      {},
      {
        headers: {
          "sec-fetch-site": "cross-site",
          "sec-fetch-mode": "navigate",
          "sec-fetch-dest": "document",
        },
      },
    ],
  ];
  test.each(tries)("%s", async (_, options, request) => {
    const admin = await startAdmin(options);
    expect(await admin.ask("/api/v1/openapi.json", request)).toMatchObject({ status: 200 });
  });
});

describe("a page hears what its reader may do", () => {
  const tries: readonly (readonly [string, Parameters<typeof startAdmin>[0], WireRequest, object])[] = [
    ["on this machine", {}, {}, { mayChange: true, needsToken: false }],
    ["with the token", { token: TOKEN }, { headers: BEARER }, { mayChange: true, needsToken: true }],
    [
      "with the token, where anyone may look",
      { token: TOKEN, view: "anyone" },
      { headers: BEARER },
      { mayChange: true, needsToken: true },
    ],
    [
      "without one, where anyone may look",
      { token: TOKEN, view: "anyone" },
      {},
      { mayChange: false, needsToken: true },
    ],
    [
      "with a cookie that is none, where anyone may look",
      { token: TOKEN, view: "anyone" },
      { headers: { cookie: `granary-80=99999999999999.${"A".repeat(43)}`, host: "127.0.0.1" } },
      { mayChange: false, needsToken: true },
    ],
  ];
  test.each(tries)("%s", async (_, options, request, access) => {
    const admin = await startAdmin(options);
    expect((await admin.ask("/api/v1/access", request)).json).toEqual(access);
  });

  test("with a cookie, and not after that is over", async () => {
    const admin = await startAdmin({ token: TOKEN, view: "anyone" });
    const { headers } = await admin.ask(`/login?token=${TOKEN}`);
    const cookie = String(headers["set-cookie"]).split(";")[0] ?? "";
    const access = async () => (await admin.ask("/api/v1/access", { headers: { cookie } })).json;
    expect(await access()).toEqual({ mayChange: true, needsToken: true });
    admin.renew({ token: `${TOKEN}-new`, view: "anyone", hosts: [] });
    expect(await access()).toEqual({ mayChange: false, needsToken: true });
  });

  test("on the socket of the storage directory, where no guard stands", async () => {
    const answer = await createAdminApp(unreachable().parts).request("http://localhost/api/v1/access");
    expect(await answer.json()).toEqual({ mayChange: true, needsToken: false });
  });
});

test.each(["evil.test", "127.0.0.1.evil.test", "granary.lab", "1.2.3.4.5", "0x7f.1", "127.0.0.1 evil"])(
  "the Host %j is nobody's",
  async (host) => {
    const admin = await startAdmin();
    const { status } = await admin.ask("/api/v1/openapi.json", { headers: { host } });
    expect([400, 403]).toContain(status);
  },
);

test("a Host or a target that is none of HTTP is refused in the form of every error", async () => {
  const admin = await startAdmin();
  for (const [line, host] of [
    ["GET /api/v1/openapi.json", "evil.test@127.0.0.1"],
    ["GET /api/v1/openapi.json", "127.0.0.1:99999"],
    ["OPTIONS *", "127.0.0.1"],
  ]) {
    const text = await sendRaw(admin.port, `${line} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
    expect(text, `${line} ${host}`).toMatch(
      /^HTTP\/1\.1 400 .*"code":"config-invalid","message":"This request cannot be read/s,
    );
  }
});

test.each([
  ["http://evil.test/api/v1/openapi.json", "127.0.0.1"],
  ["http://127.0.0.1/api/v1/openapi.json", "evil.test"],
])("a target that is a URL counts like the Host: %s with Host %s", async (target, host) => {
  const admin = await startAdmin();
  expect(await admin.ask(target, { headers: { host } })).toMatchObject({ status: 403 });
});

test("two Hosts, an empty one, none, and one that a proxy names are nobody's", async () => {
  const admin = await startAdmin();
  for (const lines of [
    "Host: 127.0.0.1\r\nHost: evil.test\r\n",
    "Host:\r\n",
    "",
    "Host: evil.test\r\nX-Forwarded-Host: 127.0.0.1\r\n",
  ]) {
    const text = await sendRaw(
      admin.port,
      `GET /api/v1/openapi.json HTTP/1.1\r\n${lines}Connection: close\r\n\r\n`,
    );
    expect(text.split("\r\n")[0], lines).toBe("HTTP/1.1 403 Forbidden");
  }
});

test("every answer keeps other sites' pages out, refusals too", async () => {
  const admin = await startAdmin({ token: TOKEN });
  for (const [target, headers] of [
    ["/api/v1/openapi.json", BEARER],
    ["/api/v1/status", {}],
    ["/login", {}],
    ["/nothing", BEARER],
    ["/login", { host: "evil.test" }],
  ] as const) {
    const answer = await admin.ask(target, { headers });
    expect(answer.headers["content-security-policy"], target).toContain("default-src 'none'");
    expect(answer.headers["content-security-policy"], target).not.toContain("unsafe");
    expect(answer.headers, target).toMatchObject({
      "x-content-type-options": "nosniff",
      "x-frame-options": "DENY",
      "referrer-policy": "same-origin",
      "cross-origin-resource-policy": "same-origin",
      "cache-control": "no-store",
    });
    expect(answer.headers["access-control-allow-origin"], target).toBeUndefined();
  }
});

test("a browser that heeds it keeps the windows of other sites apart; one over plain http from elsewhere is not asked to", async () => {
  const admin = await startAdmin();
  const trusted = await admin.ask("/", { headers: { "sec-fetch-site": "none" } });
  expect(trusted.headers["cross-origin-opener-policy"]).toBe("same-origin");
  const plain = await admin.ask("/");
  expect(plain.headers["cross-origin-opener-policy"]).toBeUndefined();
});
