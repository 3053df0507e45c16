/** Shows how the page's files go over the wire: which there are and no others, in which form, and what a browser keeps of them. */
import { readFile } from "node:fs/promises";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { acceptedEncoding } from "../../../src/http/admin/accepted-encoding.ts";
import { startAdmin } from "./admin-world.ts";

type Admin = Awaited<ReturnType<typeof startAdmin>>;

/** The document, and every address of the page that it names. */
async function openPage(admin: Admin) {
  const document = await admin.ask("/");
  const named = [...document.text.matchAll(/(?:src|href)="(\/page\/[^"]+)"/g)].map(([, found = ""]) => found);
  const [, map = "{}"] = /<script type="importmap">(.*?)<\/script>/s.exec(document.text) ?? [];
  const { imports } = JSON.parse(map) as { imports: Record<string, string> };
  return { document, named, imports };
}

test("everything that the document names is there, under an address that is kept for good", async () => {
  const admin = await startAdmin();
  const { named, imports } = await openPage(admin);
  expect(named.length).toBeGreaterThan(20);
  for (const target of [...named, ...Object.values(imports)]) {
    const answer = await admin.ask(target);
    expect([answer.status, answer.headers["cache-control"]], target).toEqual([
      200,
      "private, max-age=31536000, immutable",
    ]);
    expect(answer.headers["content-type"], target).toMatch(/^(text\/(javascript|css)|image\/svg)/);
    expect(answer.body.length, target).toBe(Number(answer.headers["content-length"]));
  }
});

test("a browser hears of every module at once, and not of one through the other", async () => {
  const admin = await startAdmin();
  const { document, imports } = await openPage(admin);
  const preloaded = [...document.text.matchAll(/rel="modulepreload" href="([^"]+)"/g)].map(([, to]) => to);
  const wanted = new Set<string>();
  const follow = async (address: string) => {
    if (wanted.has(address)) return;
    const { text, status } = await admin.ask(address);
    // Words of a comment that look so are no module.
    if (status !== 200) return;
    wanted.add(address);
    for (const [, name = ""] of text.matchAll(/\b(?:import|from)\s*"([^"]+)"/g)) {
      const target = imports[name] ?? new URL(name, `http://x${address}`).pathname;
      await follow(target);
    }
  };
  const [main = ""] = /\/page\/[^"]*main\.js/.exec(document.text) ?? [];
  await follow(main);
  expect(wanted.size).toBeGreaterThan(20);
  expect([...wanted].filter((address) => !preloaded.includes(address))).toEqual([]);
});

test("modules are served without their comments, and line by line as they stand in src/page", async () => {
  const admin = await startAdmin();
  const linesOf = (text: string) => text.split("\n");
  for (const name of ["main.js", "live.js", "parts/asked.js", "views/now.js"]) {
    const written = linesOf(await readFile(`src/page/${name}`, "utf8"));
    const served = linesOf((await admin.ask(`/page/${name}`)).text);
    expect(served.length, name).toBe(written.length);
    expect(
      served.filter((line, index) => line !== "" && line !== written[index]),
      name,
    ).toEqual([]);
    expect(
      served.filter((line) => /^\s*(\/\*\*.*\*\/\s*$|\/\/)/.test(line)),
      name,
    ).toEqual([]);
  }
});

test("what a browser loads for the page is less than 150 KB", async () => {
  const admin = await startAdmin();
  const { named } = await openPage(admin);
  const sizes = await Promise.all(
    ["/", ...named].map(async (target) => {
      return (await admin.ask(target, { headers: { "accept-encoding": "br" } })).body.length;
    }),
  );
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(150_000);
});

test("the document is asked for anew each time, and costs nothing when it is the same", async () => {
  const admin = await startAdmin();
  const { document } = await openPage(admin);
  expect(document.headers["cache-control"]).toBe("no-cache");
  const etag = String(document.headers.etag);
  for (const known of [etag, etag.replace("W/", ""), `"other", ${etag}`, "*"]) {
    const again = await admin.ask("/", { headers: { "if-none-match": known } });
    expect([again.status, again.text, again.headers.etag, again.headers.vary], known).toEqual([
      304,
      "",
      etag,
      "Accept-Encoding",
    ]);
  }
  expect((await admin.ask("/", { headers: { "if-none-match": '"other"' } })).status).toBe(200);
});

test("its policy names the one script inside it, and lets no other in", async () => {
  const admin = await startAdmin();
  const { document } = await openPage(admin);
  const policy = String(document.headers["content-security-policy"]);
  expect(policy).toMatch(/script-src 'self' 'sha256-[A-Za-z0-9+/=]+';/);
  expect(policy).not.toContain("unsafe");
  expect(document.text).not.toMatch(/ style="| on\w+="/);
});

test("the page of the API has the same picture in its tab", async () => {
  const admin = await startAdmin();
  const answer = await admin.ask("/favicon.ico");
  expect([answer.status, answer.headers["content-type"]]).toEqual([200, "image/svg+xml"]);
});

test("a document of the version before gets the files of now, and keeps none of them under the old name", async () => {
  const admin = await startAdmin();
  const answer = await admin.ask("/page/v-another-version/main.js");
  expect([answer.status, answer.headers["cache-control"]]).toEqual([200, "no-cache"]);
  expect((await admin.ask("/page/main.js")).headers["cache-control"]).toBe("no-cache");
});

describe("in the form that the browser takes", () => {
  const READERS = { br: brotliDecompressSync, gzip: gunzipSync } as const;
  test.each([
    ["br", "br"],
    ["gzip, deflate, br, zstd", "br"],
    ["gzip", "gzip"],
    ["br;q=0, gzip", "gzip"],
    ["br;q=0.5, gzip;q=0.9", "gzip"],
    ["*", "br"],
    ["*;q=0, gzip;q=0.1", "gzip"],
    ["identity, br;q=0.5", undefined],
    ["br;q=0", undefined],
    ["BR ; Q=1.0", "br"],
    ["br;q=none", undefined],
    ["brotli", undefined],
    ["", undefined],
    [undefined, undefined],
  ] as const)("Accept-Encoding: %s", async (header, form) => {
    expect(acceptedEncoding(header)).toBe(form);
  });

  test("which is the same file", async () => {
    const admin = await startAdmin();
    const plain = await admin.ask("/page/main.js");
    expect(plain.headers["content-encoding"]).toBeUndefined();
    for (const form of ["br", "gzip"] as const) {
      const answer = await admin.ask("/page/main.js", { headers: { "accept-encoding": form } });
      expect(answer.headers).toMatchObject({ "content-encoding": form, vary: "Accept-Encoding" });
      expect(answer.body.length).toBeLessThan(plain.body.length);
      expect(READERS[form](answer.body).equals(plain.body)).toBe(true);
    }
  });

  test("HEAD says the same and sends nothing", async () => {
    const admin = await startAdmin();
    for (const target of ["/", "/page/main.js"]) {
      const headers = { "accept-encoding": "br" };
      const [got, asked] = await Promise.all([
        admin.ask(target, { headers }),
        admin.ask(target, { method: "HEAD", headers }),
      ]);
      const { date: _, connection: __, ...wanted } = got.headers;
      expect(asked.headers).toMatchObject(wanted);
      expect(asked.body.length).toBe(0);
    }
  });
});

test.each([
  "/page",
  "/page/",
  "/page/index.html",
  "/page/tsconfig.json",
  "/page/../package.json",
  "/page/%2e%2e/package.json",
  "/page/..%2fpackage.json",
  "/page/%2e%2e%2f%2e%2e%2fpackage.json",
  "/page/views/..%5c..%5cpackage.json",
  "/page//main.js",
  "//page/main.js",
  "/page/main.js/",
  "/page/main.js%00",
  "/page/MAIN.JS",
  "/page/packages/typescript.js",
  "/page/packages/../main.ts",
  "/page/v-/main.js",
  "/page/v-x/v-x/main.js",
  "/page/v-x/",
  "/page/constructor",
  "/page/__proto__",
  "/page/%ff",
])("%s leads to no file", async (target) => {
  const admin = await startAdmin();
  const answer = await admin.ask(target);
  expect(answer.status).toBe(404);
  expect(answer.json?.error?.code).toBe("not-found");
});

test("a backslash in a target is none of HTTP", async () => {
  const admin = await startAdmin();
  expect((await admin.ask("/page/..\\..\\package.json")).json?.error?.code).toBe("config-invalid");
});

test.each(["POST", "PUT", "DELETE", "PATCH"])("%s changes nothing of it", async (method) => {
  const admin = await startAdmin();
  for (const target of ["/", "/page/main.js"])
    expect((await admin.ask(target, { method })).json?.error?.code).toBe("not-found");
});
