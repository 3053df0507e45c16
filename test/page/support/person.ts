/** Owns what a person does at the page, by mouse or by keyboard alone: the same steps for both, so that a test shows the same thing twice. */
import type { Locator, Page } from "playwright-core";

export const HANDS = ["mouse", "keyboard"] as const;
export type Hand = (typeof HANDS)[number];

/** More steps of Tab than any view has controls. */
const MOST_TABS = 250;

export class Person {
  readonly #page: Page;
  readonly #hand: Hand;

  constructor(page: Page, hand: Hand) {
    this.#page = page;
    this.#hand = hand;
  }

  /** Presses what is pressed: a button, a link, a switch, what opens and closes. */
  async press(control: Locator): Promise<void> {
    if (this.#hand === "mouse") return await control.click();
    await this.#goTo(control);
    const isSwitch = await control.evaluate((element) => element.matches("input[type=checkbox]"));
    await this.#page.keyboard.press(isSwitch ? "Space" : "Enter");
  }

  /** What stands in the field is written over. */
  async write(field: Locator, text: string): Promise<void> {
    if (this.#hand === "mouse") await field.click();
    else await this.#goTo(field);
    await this.#page.keyboard.press("ControlOrMeta+a");
    await this.#page.keyboard.type(text);
  }

  /** In a field to choose in; by keyboard as people do it: the first letters. */
  async choose(field: Locator, label: string): Promise<void> {
    if (this.#hand === "mouse") return void (await field.selectOption({ label }));
    await this.#goTo(field);
    await this.#page.keyboard.type(label);
  }

  /** In the dialog of a change, once its dry run is there. */
  async agree(verb: string): Promise<void> {
    await this.press(this.#page.getByRole("dialog").getByRole("button", { name: verb, exact: true }));
  }

  /** The command line that the open dialog offers. */
  async offered(): Promise<string> {
    return await this.#page.getByRole("dialog").locator(".command pre").innerText();
  }

  async #goTo(control: Locator): Promise<void> {
    await control.waitFor();
    for (let tabs = 0; tabs < MOST_TABS; tabs += 1) {
      if (
        await control.evaluate(
          (element) => element === document.activeElement && !element.matches(":disabled"),
        )
      )
        return;
      await this.#page.keyboard.press("Tab");
    }
    throw new Error(`the keyboard does not come to ${control}`);
  }
}
