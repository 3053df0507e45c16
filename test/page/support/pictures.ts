/** Owns how the page's views are looked at: each in three widths and both colour schemes, when everything that it asked for is there. */
import type { Browser, BrowserContextOptions, Page } from "playwright-core";

export const WIDTHS = [390, 1024, 1920] as const;
export const SCHEMES = ["light", "dark"] as const;

/** Addresses behind the "#", by the name that their pictures have. */
export const VIEWS = {
  now: "now",
  contents: "contents",
  show: "show?reference=node:24",
  history: "history",
  setup: "setup",
  jobs: "jobs",
  rules: "jobs?part=rules",
  line: "jobs?part=line",
  disk: "jobs?part=disk",
  trouble: "trouble",
} as const;

export type Look = {
  readonly width: number;
  readonly height?: number;
  readonly colorScheme: (typeof SCHEMES)[number];
  readonly scale?: number;
  readonly timezoneId?: string;
  readonly more?: BrowserContextOptions;
};

/** A page of its own at `origin`, with nothing opened yet. */
export async function lookingPage(browser: Browser, look: Look): Promise<Page> {
  const { width, height = width < 600 ? 844 : 1_000, colorScheme, scale = 1, timezoneId, more = {} } = look;
  const page = await browser.newPage({
    viewport: { width, height },
    colorScheme,
    deviceScaleFactor: scale,
    reducedMotion: "reduce",
    ...(timezoneId !== undefined && { timezoneId }),
    ...more,
  });
  page.setDefaultTimeout(60_000);
  return page;
}

/** Resolves when the view shows what it asked the server for. */
export async function openView(page: Page, origin: string, view: string): Promise<void> {
  await page.goto(`${origin}/#/${view}`);
  await page.locator(".live .good").waitFor();
  await page.waitForFunction(() => document.querySelector("[aria-busy]") === null);
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
}

/** The whole of it, however long. */
export async function pictureOf(page: Page, path?: string): Promise<Buffer> {
  return await page.screenshot({ fullPage: true, ...(path !== undefined && { path }) });
}
