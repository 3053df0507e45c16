/**
 * Owns the page's files as they go over the wire: those of src/page and the few packages that they import, read when somebody first opens the
 * page, compressed once, and named by fixed addresses. No address leads to any other file. It knows nothing of what the page shows.
 */
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, posix } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Context } from "hono";
import { acceptedEncoding, type Encoding } from "./accepted-encoding.ts";
import type { AdminApp } from "./app-kind.ts";
import { contentPolicy } from "./content-policy.ts";
import { fileMeantBy, pageDocument, versionOf, withoutComments } from "./page-document.ts";

/** Packages by the names under which the page imports them; each is one file without imports of other files. */
const PACKAGES = {
  preact: "preact",
  "preact/hooks": "preact/hooks",
  htm: "htm",
  "htm/preact": "htm/preact",
  "@preact/signals-core": "@preact/signals-core",
  "@preact/signals": "@preact/signals",
  uplot: "uplot/dist/uPlot.iife.min.js",
} as const;

/** Half as large as its module is uPlot's script, to which one line is wanting. */
const ADDED: Readonly<Record<string, string>> = { uplot: "\nexport default uPlot;\n" };

const TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
};

const ROOT = new URL("../../page/", import.meta.url);
const DOCUMENT = "index.html";
const YEAR_S = 31_536_000;

type PageFile = {
  readonly headers: Readonly<Record<string, string>>;
  readonly etag: string;
  bytes(encoding: Encoding | undefined): Promise<Buffer>;
};

type Served = {
  readonly version: string;
  readonly document: PageFile;
  readonly files: ReadonlyMap<string, PageFile>;
};

const packageAddress = (name: string) => `/page/packages/${name.replaceAll("/", "-").replace("@", "")}.js`;

/**
 * The page at `/`, its own files below `/page/`, its packages below `/page/packages/`. The document names all of them by addresses with a
 * version in it, which browsers keep for good; it is itself asked for anew each time, so that an upgrade is seen at once.
 */
export function pageRoutes(app: AdminApp): void {
  let loading: Promise<Served> | undefined;
  const served = () => {
    loading ??= loadAll().catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
    return loading;
  };
  app.get("/", async (context) => answer(context, (await served()).document, "no-cache"));
  // Browsers ask for it where a document names no picture, as /api does.
  app.get("/favicon.ico", async (context) => {
    const icon = (await served()).files.get("/page/icon.svg");
    return icon === undefined ? await context.notFound() : await answer(context, icon, "no-cache");
  });
  app.get("/page/*", async (context) => {
    const { version, files } = await served();
    const asked = fileMeantBy(context.req.path);
    const file = files.get(asked.address);
    if (file === undefined) return await context.notFound();
    const isKept = asked.version === version;
    // A document of the version before may ask for its files once more: it gets those of now, which must not be kept under that name.
    return await answer(context, file, isKept ? `private, max-age=${YEAR_S}, immutable` : "no-cache");
  });
}

async function answer(context: Context, file: PageFile, keep: string): Promise<Response> {
  const { etag } = file;
  const headers = { ...file.headers, ETag: etag, Vary: "Accept-Encoding", "Cache-Control": keep };
  if (isKnown(context.req.header("if-none-match"), etag)) return context.body(null, 304, headers);
  const encoding = acceptedEncoding(context.req.header("accept-encoding"));
  const bytes = await file.bytes(encoding);
  const form = encoding === undefined ? {} : { "Content-Encoding": encoding };
  return context.body(new Uint8Array(bytes), 200, {
    ...headers,
    ...form,
    "Content-Length": String(bytes.length),
  });
}

/** Compared weakly, as for every GET (RFC 9110, 13.1.2). */
function isKnown(header: string | undefined, etag: string): boolean {
  const given = (header ?? "").split(",").map((each) => each.trim().replace(/^W\//, ""));
  return given.includes("*") || given.includes(etag.replace(/^W\//, ""));
}

async function loadAll(): Promise<Served> {
  const names = (await readdir(ROOT, { recursive: true })).map((name) => name.replaceAll("\\", "/"));
  const own = names.filter((name) => TYPES[extname(name)] !== undefined && name !== DOCUMENT);
  const bytes = new Map(
    await Promise.all([
      ...own.map(async (name) => {
        const [address, bytes] = await read(posix.join("/page", name), new URL(name, ROOT));
        return [address, name.endsWith(".js") ? withoutComments(bytes) : bytes] as const;
      }),
      ...Object.entries(PACKAGES).map(async ([name, module]) => {
        const [address, bytes] = await read(packageAddress(name), new URL(import.meta.resolve(module)));
        return [address, Buffer.concat([bytes, Buffer.from(ADDED[name] ?? "")])] as const;
      }),
      read("/page/uplot/uPlot.min.css", new URL(import.meta.resolve("uplot/dist/uPlot.min.css"))),
    ]),
  );
  const version = versionOf(bytes);
  const packages = new Map(Object.keys(PACKAGES).map((name) => [name, packageAddress(name)]));
  const source = await readFile(new URL(DOCUMENT, ROOT), "utf8");
  const { html, scriptHash } = pageDocument(source, bytes, packages, version);
  const policy = { "Content-Security-Policy": contentPolicy(scriptHash) };
  return {
    version,
    document: pageFile(DOCUMENT, Buffer.from(html), policy),
    files: new Map([...bytes].map(([address, plain]) => [address, pageFile(address, plain)])),
  };
}

async function read(address: string, url: URL): Promise<readonly [string, Buffer]> {
  return [address, await readFile(fileURLToPath(url))];
}

/** Of a file that is no document: opened by itself it may nothing. The long policy says nothing more there, and weighs more than many a file. */
const FILE_POLICY = { "Content-Security-Policy": "default-src 'none'" };

function pageFile(
  name: string,
  plain: Buffer,
  headers: Readonly<Record<string, string>> = FILE_POLICY,
): PageFile {
  // One tag for all forms of compression, and so a weak one.
  const etag = `W/"${createHash("sha256").update(plain).digest("base64url").slice(0, 22)}"`;
  const packed = new Map<Encoding, Promise<Buffer>>();
  return {
    headers: { "Content-Type": TYPES[extname(name)] ?? "application/octet-stream", ...headers },
    etag,
    bytes: async (encoding) => {
      if (encoding === undefined) return plain;
      const known = packed.get(encoding) ?? pack(plain, encoding);
      packed.set(encoding, known);
      return await known;
    },
  };
}

/** The whole page in a fifth of a second, once; the smallest form that there is takes twice as long for three kB. */
const BROTLI_QUALITY = 10;
const GZIP_LEVEL = 9;

async function pack(plain: Buffer, encoding: Encoding): Promise<Buffer> {
  if (encoding === "gzip") return await promisify(gzip)(plain, { level: GZIP_LEVEL });
  return await promisify(brotliCompress)(plain, {
    params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY },
  });
}
