/**
 * Owns the places of logins for tests: a home directory with login files, and credential helpers as real executables on a PATH
 * of their own. It never touches the environment of this process.
 */
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { createLogins, type LoginsOptions } from "../../src/credentials/logins.ts";
import { foregroundClock } from "../../src/observe/clock.ts";
import { tempDirectory } from "./temp-directory.ts";

export const DOCKER_CONFIG = ".docker/config.json";

export function base64(text: string): string {
  return Buffer.from(text).toString("base64");
}

export class LoginHome {
  readonly directory: string;
  readonly env: Record<string, string>;

  constructor(directory: string) {
    this.directory = directory;
    // The helpers are shell scripts that use cat.
    this.env = { HOME: directory, PATH: `${join(directory, "bin")}:/usr/bin:/bin` };
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  /** `content` as JSON, or a text as it is, at `name` below the home directory. */
  async write(name: string, content: unknown): Promise<string> {
    const path = this.path(name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
    return path;
  }

  /** A helper whose shell script is `script`; what it was asked, its arguments and environment end up in `asked`. */
  async addHelper(name: string, script: string): Promise<void> {
    const path = await this.write(
      `bin/docker-credential-${name}`,
      `#!/bin/sh\nserver=$(cat)\necho "$1 $# $server" >> "${this.path(`${name}.asked`)}"\nenv > "${this.path(`${name}.env`)}"\n${script}\n`,
    );
    await chmod(path, 0o755);
  }

  /** One line for each run of the helper: verb, number of arguments, server. */
  async askedOf(name: string): Promise<string[]> {
    const text = await readFile(this.path(`${name}.asked`), "utf8").catch(() => "");
    return text.split("\n").filter((line) => line !== "");
  }

  logins(options: Partial<LoginsOptions> = {}) {
    return createLogins({ env: this.env, clock: foregroundClock, ...options });
  }

  /** What is found for `repository` of `registry`. */
  async find(registry: string, repository = "org/app", options: Partial<LoginsOptions> = {}) {
    return await this.logins(options).find({ names: [registry], repository });
  }
}

export async function loginHome(): Promise<LoginHome> {
  return new LoginHome(await tempDirectory());
}
