/**
 * Owns a password that stands in a file of its own and changes there under a running process (ECR's does every twelve hours): read
 * at the start, and again when it is refused or when somebody says so. What a file holds never enters a message.
 */
import { readFile } from "node:fs/promises";
import { GranaryError, messageOf } from "../errors.ts";
import {
  type Credentials,
  type Identity,
  identityWith,
  type PasswordCredentials,
} from "../oci/credentials.ts";

/** The file's text without white space around it. `path` is the key that names the file. Throws `config-invalid`. */
export async function readPasswordFile(file: string, path: string): Promise<string> {
  const password = (await readText(file, path)).trim();
  if (password !== "") return password;
  throw new GranaryError(
    "config-invalid",
    `${path}: the file ${file} is empty, and a password was expected in it.`,
  );
}

export type PasswordFileOptions = {
  /** As they were read at the start. */
  readonly credentials: PasswordCredentials;
  readonly file: string;
  /** The key that names the file, for messages. */
  readonly path: string;
};

export class PasswordFile {
  readonly #file: string;
  readonly #path: string;
  #held: PasswordCredentials;
  #reading: Promise<boolean> | undefined;

  constructor({ credentials, file, path }: PasswordFileOptions) {
    this.#held = credentials;
    this.#file = file;
    this.#path = path;
  }

  /** Who asks with what is held; whoever is refused as that may `renew` it. */
  identity(): Identity {
    const held = this.#held;
    return { ...identityWith(held), renew: () => this.#renewed(held) };
  }

  /** True when the file holds another password than before. Throws `config-invalid`; what was held stays then. */
  readAgain(): Promise<boolean> {
    // No await from the look-up to the insert: all who are refused at once share one reading.
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** undefined when there is nothing newer than `refused`: the same is not tried again. */
  async #renewed(refused: Credentials): Promise<Identity | undefined> {
    // A file that cannot be read now must not replace the real error, which is that the password was refused.
    if (this.#held === refused) await this.readAgain().catch(() => false);
    return this.#held === refused ? undefined : this.identity();
  }

  async #read(): Promise<boolean> {
    const password = await readPasswordFile(this.#file, this.#path);
    if (password === this.#held.password) return false;
    this.#held = { ...this.#held, password };
    return true;
  }
}

async function readText(file: string, path: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw new GranaryError(
      "config-invalid",
      `${path}: the file ${file} cannot be read: ${messageOf(error)}.`,
    );
  }
}
