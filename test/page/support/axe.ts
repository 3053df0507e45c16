/** Owns what axe-core finds on a page: what is serious or critical, in words. */
import axe from "axe-core";
import type { Page } from "playwright-core";

/** What people read is where a colour ends, not what it is on its way there. */
const TRANSITIONS_END =
  "Promise.allSettled(document.getAnimations().filter((each) => each instanceof CSSTransition).map(({ finished }) => finished))";

/** None is well. It runs beside the page's own policy, which would not let it in. */
export async function seriousFindings(page: Page): Promise<string[]> {
  await page.evaluate(axe.source);
  await page.evaluate(TRANSITIONS_END);
  const { violations } = await page.evaluate(() => (globalThis as unknown as { axe: typeof axe }).axe.run());
  const serious = violations.filter(({ impact }) => impact === "serious" || impact === "critical");
  return serious.map(
    ({ id, nodes }) =>
      `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`,
  );
}
