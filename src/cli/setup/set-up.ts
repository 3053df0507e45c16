/**
 * Owns what `granary setup` does: a client's configuration on this machine, pointed at Granary, is printed, written or brought back. What is in
 * the files is the business of src/setup.
 */
import { resolve } from "node:path";
import type { Command } from "commander";
import { findConfig } from "../../config/find-config.ts";
import { loadSettings, loadWithoutSecrets } from "../../config/load.ts";
import type { Login } from "../../oci/credentials.ts";
import { carryOut, isToDo } from "../../setup/carry-out.ts";
import type { ClientKind } from "../../setup/client-kinds.ts";
import type { OfferedListener } from "../../setup/offered-listener.ts";
import {
  CLIENT_SETUPS,
  type PlannedSetup,
  planProxySetup,
  planSetup,
  planUndoSetup,
} from "../../setup/setup-client.ts";
import { type ShownFile, showFile } from "../../setup/show-files.ts";
import { copyPath } from "../../setup/undo-record.ts";
import { askServer } from "../admin/ask-server.ts";
import { misused } from "../exit-code.ts";
import { type LoginFlags, readLogin } from "../login-options.ts";
import { printJson, printLine } from "../output.ts";
import { refuseOldDocker } from "./docker-version.ts";
import { type AddressFlags, mirrorTarget, offeredBy } from "./mirror-address.ts";
import { proxyTarget } from "./proxy-address.ts";

const offersSchema = async () => (await import("../../http/admin/routes/setup-routes.ts")).offersSchema;

export type SetupFlags = AddressFlags &
  LoginFlags & {
    readonly proxy?: boolean;
    readonly write?: boolean;
    readonly undo?: boolean;
    readonly dryRun?: boolean;
    readonly json?: boolean;
    readonly file?: string;
    readonly config?: string;
  };

/** Throws `config-invalid` for options that do not go together, and for a file that cannot be read; `conflict` for a client that is too old. */
export async function setUp(kind: ClientKind, flags: SetupFlags, command: Command): Promise<void> {
  if (flags.write === true && flags.undo === true) throw misused("--write and --undo do not go together.");
  if (flags.dryRun === true && flags.write !== true && flags.undo !== true)
    throw misused("--dry-run goes with --write or --undo; without them nothing is written anyway.");
  // Files name each other by their paths, and are read by programs that run elsewhere.
  const file = resolve(flags.file ?? CLIENT_SETUPS[kind].usualFile);
  const setup =
    flags.undo === true
      ? await undoing(kind, file)
      : flags.proxy === true
        ? await throughProxy(kind, flags, file)
        : await planSetup(kind, await targetOf(kind, flags, command), file);
  const isWritten = (flags.write === true || flags.undo === true) && flags.dryRun !== true;
  if (isWritten) await carryOut(setup.files);
  if (flags.json === true) printJson(jsonOf(kind, setup, isWritten, flags));
  else for (const line of linesOf(setup, isWritten, flags)) printLine(line);
}

async function undoing(kind: ClientKind, file: string): Promise<PlannedSetup> {
  return {
    files: await planUndoSetup(kind, file),
    restart: [`Restart or reload ${kind} as after setup.`],
    notes: [],
  };
}

async function throughProxy(kind: ClientKind, flags: SetupFlags, file: string): Promise<PlannedSetup> {
  if (kind !== "docker") throw misused(`--proxy goes with docker: ${kind} is pointed at a listener.`);
  if (flags.username !== undefined)
    throw misused("--username goes with a listener: the proxy asks for no login.");
  const target = await proxyTarget(flags);
  // A file that is named may be for an engine elsewhere.
  const isForThisEngine = flags.write === true && flags.file === undefined;
  if (isForThisEngine) await refuseOldDocker(target.url, process.env);
  return await planProxySetup(target, file);
}

async function targetOf(kind: ClientKind, flags: SetupFlags, command: Command) {
  const file = await findConfig(flags.config, process.env);
  // For another machine's address nothing of the settings is needed that this user may not read.
  const load = flags.serverAddress === undefined ? loadSettings : loadWithoutSecrets;
  const settings = await load(file, process.env);
  const running = flags.serverAddress === undefined ? await runningListeners(command) : undefined;
  const listeners = running ?? offeredBy(settings);
  const credentials = await readLogin(flags);
  const login: Login | undefined =
    credentials !== undefined && "password" in credentials ? credentials : undefined;
  return await mirrorTarget(kind, { ...flags, login }, { listeners, upstreams: settings.upstreams });
}

/** Options of its command line, and ports that the system chose, are known to the server alone. Undefined where none runs. */
async function runningListeners(command: Command): Promise<readonly OfferedListener[] | undefined> {
  try {
    const { listeners } = await askServer(command, {}, (client) => client.get(offersSchema, "/api/v1/setup"));
    return listeners.map(({ host, certificate, ...rest }) => ({ ...rest, host, certificate }));
  } catch {
    return undefined;
  }
}

function jsonOf(
  client: ClientKind,
  { files, restart, notes }: PlannedSetup,
  isWritten: boolean,
  { dryRun = false }: SetupFlags,
) {
  return {
    client,
    written: isWritten,
    ...(dryRun && { dryRun }),
    files: files.map(showFile),
    restart,
    notes,
  };
}

function linesOf(setup: PlannedSetup, isWritten: boolean, flags: SetupFlags): string[] {
  const changes = setup.files.filter(isToDo);
  if (changes.length === 0)
    return flags.undo === true
      ? ["Nothing to undo: setup changed no file of it."]
      : [...wholeOf(setup, flags), "All of this is there already: nothing to do.", ...setup.notes];
  const body = isWritten
    ? writtenLines(setup, flags)
    : setup.files.flatMap((file) => shownLines(showFile(file), flags));
  const then = setup.restart.map((each) => `Then: ${each}`);
  const hint = isWritten
    ? []
    : [
        flags.dryRun === true
          ? "Nothing was written: this is a dry run."
          : "Nothing was written: --write does it.",
      ];
  return [...body, ...then, ...setup.notes, ...hint];
}

function wholeOf({ files }: PlannedSetup, { write }: SetupFlags): string[] {
  return write === true ? [] : files.flatMap((file) => shownLines(showFile(file), {}));
}

function writtenLines({ files }: PlannedSetup, { undo }: SetupFlags): string[] {
  return files.filter(isToDo).map(({ path, now, next }) => {
    if (undo === true) return next === undefined ? `Removed ${path}.` : `Brought ${path} back.`;
    return now === undefined ? `Made ${path}.` : `Changed ${path}; what was there is in ${copyPath(path)}.`;
  });
}

/** The file as a whole, and for one that is there the difference as well. A dry run is about what would change. */
function shownLines({ path, state, text, diff }: ShownFile, { dryRun }: SetupFlags): string[] {
  const difference =
    state === "changed" || (state === "removed" && text === null) ? [diff.trimEnd(), ""] : [];
  if (dryRun === true)
    return state === "unchanged"
      ? []
      : [`# ${path} (${state})`, (state === "new" ? (text ?? "") : diff).trimEnd(), ""];
  return [`# ${path} (${state})`, ...(text === null ? [] : [text.trimEnd(), ""]), ...difference];
}
