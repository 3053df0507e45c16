/**
 * Owns how a command finds the Granary that it asks: the one that is named, else the one that runs in the storage directory, else, where the
 * verb allows it and that directory is there, the directory opened in this process, else, where nobody said which one is meant, the one at
 * the usual place of an admin face on this machine. There is one implementation of every verb: the admin face.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { DEFAULT_STORAGE } from "../../config/defaults.ts";
import { readCertificates, readText } from "../../config/files.ts";
import { findConfig } from "../../config/find-config.ts";
import { GranaryError, isGranaryError } from "../../errors.ts";
import { lookAt } from "../../files/disk.ts";
import { isTooLongForSocket } from "../../store/control-socket.ts";
import { layoutOf } from "../../store/layout.ts";
import { misused } from "../exit-code.ts";
import { tell } from "../output.ts";
import { AdminClient } from "./admin-client.ts";
import type { AdminFlags } from "./admin-options.ts";
import { usualServer } from "./usual-server.ts";
import { isServed, socketWay, urlWay } from "./ways.ts";

export type AskOptions = {
  /** Where no server runs, the storage directory is opened in this process. */
  readonly alone?: boolean;
};

/**
 * Calls `ask` with a client of the Granary that `command` means, and ends what was opened for it. Throws `config-invalid` for options that
 * do not go together or a directory that cannot be opened, `upstream-unavailable` where nobody answers, and what `ask` throws.
 */
export async function askServer<T>(
  command: Command,
  options: AskOptions,
  ask: (client: AdminClient) => Promise<T>,
): Promise<T> {
  const flags = command.opts<AdminFlags>();
  const named = await namedServer(flags, process.env, await ownAuthority(command));
  if (named !== undefined) return await ask(named);
  const directory = await storageDirectory(flags);
  const { socket, database } = layoutOf(directory);
  const served = await servedAt(socket);
  if (served === true) return await ask(new AdminClient(socketWay(socket, directory)));
  const isAlone = options.alone === true && served === false;
  if (!isChosen(flags) && !(isAlone && (await isThere(database)))) {
    const usual = await usualServer(process.env, () => tokenOf(flags, process.env));
    if (usual !== undefined) {
      tellOnce(command, `Asking the Granary at ${usual.where}: in ${directory} none runs that can be asked.`);
      return await ask(usual);
    }
  }
  if (served !== false) throw served;
  if (!isAlone) throw nobody(directory, socket, isChosen(flags));
  // The whole engine: only who has no server waits for it to be loaded.
  const { openAlone } = await import("./alone.ts");
  const { way, close } = await openAlone(directory, flags).catch((error: unknown) => {
    throw isInUse(error) ? unasked(socket, error) : error;
  });
  try {
    return await ask(new AdminClient(way));
  } finally {
    await close();
  }
}

/** Where `flags` and the settings say that things are stored; nothing is looked at there. Throws `config-invalid`. */
export async function storageDirectory(flags: AdminFlags): Promise<string> {
  return resolve(flags.directory ?? (await configuredDirectory(flags)));
}

/** Whether a server is named, by an option or by the environment, and not the storage directory. */
export function isServerNamed(flags: AdminFlags, { GRANARY_SERVER = "" }: NodeJS.ProcessEnv): boolean {
  return flags.server !== undefined || (!isChosen(flags) && GRANARY_SERVER !== "");
}

/** Somebody typed which one is meant: no other is asked. */
function isChosen({ directory, config }: AdminFlags): boolean {
  return directory !== undefined || config !== undefined;
}

/** What is wrong where somebody else's server may be there, as a value. */
async function servedAt(socket: string): Promise<boolean | Error> {
  return await isServed(socket).catch((error: Error) => error);
}

/** A storage directory was made here. What this user may not look at cannot be opened either. */
async function isThere(database: string): Promise<boolean> {
  return (await lookAt(database).catch(() => undefined)) !== undefined;
}

const told = new WeakSet<Command>();

/** Nobody named this server, so it is said which one it is: once, however often one command asks. */
function tellOnce(command: Command, sentence: string): void {
  if (told.has(command) || command.opts<AdminFlags>().quiet === true) return;
  told.add(command);
  tell(sentence);
}

/** A directory or configuration that is typed wins over a server that the environment names. */
async function namedServer(
  flags: AdminFlags,
  env: NodeJS.ProcessEnv,
  ca: string | undefined,
): Promise<AdminClient | undefined> {
  const { GRANARY_SERVER } = env;
  const { server, tokenFile, directory } = flags;
  if (server !== undefined && directory !== undefined)
    throw misused("Give either --server or --directory: each says which Granary is meant.");
  const url = server ?? (isChosen(flags) || GRANARY_SERVER === "" ? undefined : GRANARY_SERVER);
  if (ca !== undefined && (url === undefined || URL.parse(url)?.protocol === "http:"))
    throw misused("--ca-file goes with --server and a URL of https: nothing else shows a certificate.");
  if (url === undefined) {
    if (tokenFile === undefined || !isChosen(flags)) return undefined;
    throw misused("--token-file goes with --server: on this machine no token is needed.");
  }
  return new AdminClient(urlWay(serverUrl(url), await tokenOf(flags, env), ca));
}

/** The certificates of --ca-file, where it is the server's: commands without --server mean something else by it. */
async function ownAuthority(command: Command): Promise<string | undefined> {
  const { caFile } = command.opts<AdminFlags>();
  if (caFile === undefined || !command.options.some(({ long }) => long === "--server")) return undefined;
  return await readCertificates(caFile, "--ca-file");
}

/** undefined where none is given. Throws `config-invalid` for what is no token. */
async function tokenOf(
  { tokenFile }: AdminFlags,
  { GRANARY_TOKEN }: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  const token = tokenFile === undefined ? GRANARY_TOKEN : await readText(tokenFile, "--token-file");
  return checkedToken(token, tokenFile);
}

function serverUrl(text: string): URL {
  const url = URL.parse(text);
  if (url !== null && /^https?:$/.test(url.protocol) && url.username === "" && url.password === "")
    return url;
  throw misused(`--server takes the URL of an admin face, such as http://127.0.0.1:5080.`);
}

/** What cannot stand in a header is no token; it is not shown. */
function checkedToken(text: string | undefined, file: string | undefined): string | undefined {
  const token = text?.trim();
  if (token === undefined || (token === "" && file === undefined)) return undefined;
  if (/^[\x21-\x7e]{1,4096}$/.test(token)) return token;
  throw misused(`${file === undefined ? "$GRANARY_TOKEN" : `The file ${file}`} holds no token.`);
}

async function configuredDirectory({ config }: AdminFlags): Promise<string> {
  const file = await findConfig(config, process.env);
  if (file === undefined) return DEFAULT_STORAGE.directory;
  const { loadStorage } = await import("../../config/load.ts");
  return (await loadStorage(file, process.env)).directory;
}

function nobody(directory: string, socket: string, isAskedAlone: boolean): GranaryError {
  const elsewhere = isAskedAlone ? "" : ", and none answers at the usual address of this machine";
  const cannot = `A Granary in ${directory} cannot be asked by its directory, because that path is too long for a socket${elsewhere}: name its admin listener with --server.`;
  const text = isTooLongForSocket(socket)
    ? cannot
    : `No Granary runs in ${directory}${elsewhere}: start one there with granary serve, or say which one is meant with --directory, --config or --server.`;
  return new GranaryError("upstream-unavailable", text, { target: directory, saysWhatToDo: true });
}

/** Another process holds the directory, and did not answer. */
function isInUse(error: unknown): boolean {
  return isGranaryError(error, "config-invalid") && error.facts.isInUse === true;
}

function unasked(socket: string, cause: unknown): GranaryError {
  const text = `The storage directory is held by a Granary that cannot be asked: nothing answers at ${socket}. Stop it, or start it again, and try once more.`;
  return new GranaryError("config-invalid", text, { target: socket, cause });
}
