/** Owns a person at an open page who uses it by mouse or by keyboard alone: the same steps for both, so that a test shows the same thing twice. */
import type { Locator, Page } from "playwright-core";
import { type Hands, keyboard, mouse } from "./hands.ts";

const BY = { mouse, keyboard };
export type Hand = keyof typeof BY;
export const HANDS: readonly Hand[] = ["mouse", "keyboard"];

export class Person {
  readonly #page: Page;
  readonly #hands: Hands;

  constructor(page: Page, hand: Hand) {
    this.#page = page;
    this.#hands = BY[hand];
  }

  press(control: Locator): Promise<void> {
    return this.#hands.press(control);
  }

  /** What stands in the field is written over. */
  write(field: Locator, text: string): Promise<void> {
    return this.#hands.write(field, text);
  }

  choose(list: Locator, label: string): Promise<void> {
    return this.#hands.choose(list, label);
  }

  /** In the dialog of a change, once its dry run is there. */
  async agree(verb: string): Promise<void> {
    const button = this.#page.getByRole("dialog").getByRole("button", { name: verb, exact: true });
    await expectEnabled(button);
    await this.#hands.confirm(this.#page, verb);
  }

  /** The command line that the open dialog offers. */
  async offered(): Promise<string> {
    return await this.#page.getByRole("dialog").locator(".command pre").innerText();
  }
}

/** A button that waits for its dry run cannot be reached yet. */
async function expectEnabled(button: Locator): Promise<void> {
  await button.and(button.page().locator(":enabled")).waitFor();
}
