/**
 * Owns a password that is kept in a file of its own and may change while the process runs (ECR's changes every twelve hours). It is read at
 * the start, and again when the upstream refuses it or a reload is asked for. The content of the file never appears in a message.
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
  /** User name and password, as read at the start. */
  readonly credentials: PasswordCredentials;
  readonly file: string;
  /** The key that names the file, for messages. */
  readonly path: string;
};

export class PasswordFile {
  readonly #file: string;
  readonly #path: string;
  #current: PasswordCredentials;
  #reading: Promise<boolean> | undefined;

  constructor({ credentials, file, path }: PasswordFileOptions) {
    this.#current = credentials;
    this.#file = file;
    this.#path = path;
  }

  /** The identity with the current password. A caller that is refused with it calls `renew`. */
  identity(): Identity {
    const asked = this.#current;
    return { ...identityWith(asked), renew: () => this.#renewed(asked) };
  }

  /** True when the file has another password than before. Throws `config-invalid`, and the current password stays in use. */
  readAgain(): Promise<boolean> {
    // No await from the look-up to the insert: all callers that are refused at the same time share one read.
    this.#reading ??= this.#read().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  /** undefined when the file still has the refused password: it is not tried again. */
  async #renewed(refused: Credentials): Promise<Identity | undefined> {
    // If the file cannot be read now, that must not hide the real error: the password was refused.
    if (this.#current === refused) await this.readAgain().catch(() => false);
    return this.#current === refused ? undefined : this.identity();
  }

  async #read(): Promise<boolean> {
    const password = await readPasswordFile(this.#file, this.#path);
    if (password === this.#current.password) return false;
    this.#current = { ...this.#current, password };
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
