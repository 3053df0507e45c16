/** Owns what does not fit on a page as it is shown, in words: what is wider than the window, texts that are cut, targets that are too small. */
import type { Page } from "playwright-core";

/** None is well. Whatever scrolls by itself, and names that may be cut (`.cut`), are left out. */
export async function misfits(page: Page, smallestTarget: number): Promise<string[]> {
  return await page.evaluate((smallest) => {
    const width = document.documentElement.clientWidth;
    const found: string[] = [];
    const wide = document.documentElement.scrollWidth;
    if (wide > width) found.push(`the page is ${wide} wide in a window of ${width}`);
    const named = (element: Element) =>
      `${element.tagName.toLowerCase()}.${element.className} "${(element.textContent ?? "").trim().slice(0, 40)}"`;
    const scrolls = (element: Element | null): boolean =>
      element !== null &&
      (/auto|scroll/.test(getComputedStyle(element).overflowX) || scrolls(element.parentElement));
    const isSeen = (element: Element) =>
      element.checkVisibility({ visibilityProperty: true }) && element.closest(".hidden, .skip") === null;
    for (const element of document.querySelectorAll("body *")) {
      if (!isSeen(element) || element.closest("svg, .u-wrap, .cut") !== null) continue;
      const box = element.getBoundingClientRect();
      if (box.width === 0) continue;
      if ((box.right > width + 1 || box.left < -1) && !scrolls(element.parentElement))
        found.push(`${named(element)} ends at ${Math.round(box.right)} in a window of ${width}`);
      const style = getComputedStyle(element);
      const isInline = style.display === "inline";
      // What goes on beyond its box is seen by others; in these it stands in the way, or is not seen at all.
      const isBound =
        /hidden|clip/.test(style.overflowX) || element.matches("button, .button, .views a, .tag, h1, h2, h3");
      const isCut = isBound && !isInline && element.scrollWidth > element.clientWidth + 1;
      const isCutOnPurpose = element.matches("input, select, textarea, html, body, .meter, progress");
      if (isCut && !isCutOnPurpose) found.push(`${named(element)} has text beyond its edge`);
      const isTarget = element.matches("a[href], button, input, select, textarea, summary");
      // A box to tick is as large as its label.
      const target = (element.closest("label") ?? element).getBoundingClientRect();
      if (isTarget && !isInline && Math.min(target.width, target.height) < smallest)
        found.push(
          `${named(element)} is a target of ${Math.round(target.width)} x ${Math.round(target.height)}`,
        );
    }
    return found;
  }, smallestTarget);
}
