/**
 * Owns the two ways in which a person uses the page: by the mouse, and by the keyboard alone. By the keyboard everything is reached with the Tab
 * key from where the focus is, as a person has to: what cannot be reached so fails its test.
 */
import type { Locator, Page } from "playwright-core";

export type Hands = {
  /** A button, a link, a switch, or what opens and closes. */
  press(what: Locator): Promise<void>;
  /** What stands in a field. */
  write(field: Locator, text: string): Promise<void>;
  /** One of a list, by its text. */
  choose(list: Locator, text: string): Promise<void>;
  /** The dialog's way to do it. */
  confirm(page: Page, verb: string): Promise<void>;
};

export const mouse: Hands = {
  press: (what) => what.click(),
  write: (field, text) => field.fill(text),
  choose: async (list, text) => {
    await list.selectOption({ label: text });
  },
  confirm: (page, verb) => page.getByRole("dialog").getByRole("button", { name: verb, exact: true }).click(),
};

export const keyboard: Hands = {
  press: async (what) => {
    await reach(what);
    const isSwitch = await what.evaluate((element) => element.matches("input[type=checkbox]"));
    await what.page().keyboard.press(isSwitch ? "Space" : "Enter");
  },
  write: async (field, text) => {
    await reach(field);
    await field.page().keyboard.press("Control+A");
    await field.page().keyboard.type(text);
  },
  choose: async (list, text) => {
    await reach(list);
    await list.page().keyboard.type(text);
  },
  confirm: async (page, verb) => {
    await reach(page.getByRole("dialog").getByRole("button", { name: verb, exact: true }));
    await page.keyboard.press("Enter");
  },
};

/** Controls of a page with a list of fifty lines, twice round. */
const MOST_TABS = 600;

async function reach(what: Locator): Promise<void> {
  await what.waitFor();
  const { keyboard: keys } = what.page();
  for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
    if (await what.evaluate((element) => element === document.activeElement)) return;
    await keys.press("Tab");
  }
  throw new Error(`${what} cannot be reached with the Tab key`);
}
