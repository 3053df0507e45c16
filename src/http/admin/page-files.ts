/**
 * Owns the page's files as they go over the wire: those of src/page and the few packages that they import, read once, compressed once, and
 * named by fixed addresses. No address leads to any other file. It knows nothing of what the page shows.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants } from "node:zlib";
import type { Context } from "hono";
import type { AdminApp } from "./app-kind.ts";

/** Packages by the names under which the page imports them; each is one file without imports of other files. */
const PACKAGES = {
  preact: "preact",
  "preact/hooks": "preact/hooks",
  htm: "htm",
  "htm/preact": "htm/preact",
  "@preact/signals-core": "@preact/signals-core",
  "@preact/signals": "@preact/signals",
  uplot: "uplot/dist/uPlot.esm.js",
} as const;

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const ROOT = new URL("../../page/", import.meta.url);

type PageFile = {
  readonly type: string;
  readonly plain: Buffer;
  readonly packed: Buffer;
  readonly etag: string;
};

const packageAddress = (name: string) => `/page/packages/${name.replaceAll("/", "-").replace("@", "")}.js`;

const IMPORT_MAP = JSON.stringify({
  imports: Object.fromEntries(Object.keys(PACKAGES).map((name) => [name, packageAddress(name)])),
});

/** As it stands in the document, which is a document without us too. */
const EMPTY_MAP = '<script type="importmap">{}</script>';

/** For `script-src` of the Content-Security-Policy: browsers take an import map only from within the document. */
export const IMPORT_MAP_HASH = `sha256-${createHash("sha256").update(IMPORT_MAP).digest("base64")}`;

/** The page at `/`, its own files below `/page/`, its packages below `/page/packages/`. */
export function pageRoutes(app: AdminApp): void {
  let loading: Promise<ReadonlyMap<string, PageFile>> | undefined;
  const files = () => {
    loading ??= loadAll().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  app.get("/", async (context) => answer(context, (await files()).get("/")));
  app.get("/page/*", async (context) => answer(context, (await files()).get(context.req.path)));
}

async function answer(context: Context, file: PageFile | undefined): Promise<Response> {
  if (file === undefined) return await context.notFound();
  const { type, plain, packed, etag } = file;
  const headers = { "Content-Type": type, ETag: etag, Vary: "Accept-Encoding", "Cache-Control": "no-cache" };
  if (context.req.header("if-none-match") === etag) return context.body(null, 304, headers);
  const takesPacked = context.req.header("accept-encoding")?.includes("br") === true;
  if (!takesPacked) return context.body(new Uint8Array(plain), 200, headers);
  return context.body(new Uint8Array(packed), 200, { ...headers, "Content-Encoding": "br" });
}

async function loadAll(): Promise<ReadonlyMap<string, PageFile>> {
  const names = (await readdir(ROOT, { recursive: true })).map((name) => name.replaceAll("\\", "/"));
  const own = names.filter((name) => TYPES[extname(name)] !== undefined);
  const files = await Promise.all([
    ...own.map(async (name) => await pageFile(addressOf(name), new URL(name, ROOT))),
    ...Object.entries(PACKAGES).map(async ([name, module]) => {
      return await pageFile(packageAddress(name), new URL(import.meta.resolve(module)));
    }),
    pageFile("/page/uplot/uPlot.min.css", new URL(import.meta.resolve("uplot/dist/uPlot.min.css"))),
  ]);
  return new Map(files);
}

function addressOf(name: string): string {
  return name === "index.html" ? "/" : posix.join("/page", name);
}

async function pageFile(address: string, url: URL): Promise<[string, PageFile]> {
  const read = await readFile(fileURLToPath(url));
  const plain =
    address === "/"
      ? Buffer.from(read.toString("utf8").replace(EMPTY_MAP, () => EMPTY_MAP.replace("{}", IMPORT_MAP)))
      : read;
  const packed = await promisify(brotliCompress)(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });
  const etag = `"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  return [address, { type: TYPES[extname(address)] ?? TYPES[".html"] ?? "", plain, packed, etag }];
}
