/**
 * Owns the browser of the page's tests: Debian's Chromium without a network of its own, and for each page an account of what must never happen:
 * something on the console, a request that fails, a request to another origin. One browser serves all tests of a file.
 */
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";

/** It asks nobody for updates, and keeps nothing of the run before: each has an empty profile. */
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const CHROMIUM = "/usr/bin/chromium";

export async function startBrowser(
  cleanup: AsyncDisposableStack,
  flags: readonly string[] = [],
): Promise<Browser> {
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: [...FLAGS, ...flags] });
  cleanup.defer(() => browser.close());
  return browser;
}

export type Watched = {
  readonly page: Page;
  /** What must never happen, in words; empty is well. A test that breaks something on purpose looks at it itself, and empties it. */
  readonly faults: string[];
};

/** A page of its own in a context of its own, with nothing opened yet. `origin` is the only one that it may ask. */
export async function watchedPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const page = await context.newPage();
  // A machine that does twenty other things takes its time.
  page.setDefaultTimeout(60_000);
  const faults: string[] = [];
  page.on("console", (message) => faults.push(`console ${message.type()}: ${message.text()}`));
  page.on("pageerror", (error) => faults.push(`error: ${error.message}`));
  page.on("requestfailed", (request) => {
    const reason = request.failure()?.errorText ?? "";
    // The page takes back a question whose answer nobody waits for any more.
    if (reason !== "net::ERR_ABORTED") faults.push(`failed: ${request.url()} ${reason}`);
  });
  page.on("request", (request) => {
    const { origin: asked, protocol } = new URL(request.url());
    if (asked !== origin && protocol !== "data:") faults.push(`another origin: ${request.url()}`);
  });
  page.on("response", (response) => {
    if (response.status() >= 400) faults.push(`status ${response.status()}: ${response.url()}`);
  });
  return { page, faults };
}
