/** Owns how a number of lines is read from a command line. */
import { InvalidArgumentError } from "commander";

/** As many as one answer of the admin face can have. */
const MOST = 1_000;

export function lineCount(text: string): number {
  const number = Number(text);
  if (Number.isInteger(number) && number > 0 && number <= MOST) return number;
  throw new InvalidArgumentError(`Give a whole number from 1 to ${MOST}.`);
}
