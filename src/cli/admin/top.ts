/**
 * Owns `granary top`: what a running Granary does, drawn anew each second on a terminal; one screen in a pipe; with --json one snapshot a
 * line. It leaves the terminal as it found it, however it ends.
 */
import { Command } from "commander";
import type { Status } from "../../http/admin/routes/status-routes.ts";
import { catchSignals } from "../interruption.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import type { AdminClient } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";
import { topScreen } from "./top/top-screen.ts";

const statusSchema = async () => (await import("../../http/admin/routes/status-routes.ts")).statusSchema;

export function topCommand(): Command {
  const command = new Command("top")
    .description(
      "Watch a running Granary: transfers with their maps, pulls, rates, upstreams. One screen in a pipe; with --json one snapshot a line, each second. Ctrl-C or q ends it.",
    )
    .action(run);
  return asAdminVerb(command, [], "granary top", "granary top --json | jq .traffic.today.saved");
}

async function run(flags: AdminFlags, command: Command): Promise<void> {
  const interruption = catchSignals();
  try {
    await askServer(command, {}, (client) => watch(client, flags, interruption.signal));
  } catch (error) {
    // Whoever watches ends it: that is no failure.
    if (!interruption.signal.aborted) throw error;
  } finally {
    interruption.release();
  }
}

async function watch(client: AdminClient, { json }: AdminFlags, signal: AbortSignal): Promise<void> {
  const ended = new AbortController();
  const either = AbortSignal.any([signal, ended.signal]);
  const snapshots = client.snapshots(statusSchema, "/api/v1/events", either);
  if (json === true) {
    for await (const snapshot of snapshots) printJson(snapshot);
  } else if (canDraw()) {
    await draw(client, snapshots, () => ended.abort());
  } else {
    const { value } = await snapshots.next();
    if (value !== undefined) printScreen(client, value);
    ended.abort();
  }
}

function printScreen({ where }: AdminClient, status: Status): void {
  const screen = { columns: columnsOfOutput(), rows: Number.POSITIVE_INFINITY };
  for (const line of topScreen(status, { where, before: undefined }, screen)) printLine(line);
}

/** A dumb terminal moves no cursor. */
function canDraw(): boolean {
  return process.stdout.isTTY === true && process.env.TERM !== "dumb";
}

/** The other screen of the terminal, without a cursor; and back. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const REST_OF_LINE = "\u001b[K";
const REST_OF_SCREEN = "\u001b[J";

async function draw(
  { where }: AdminClient,
  snapshots: AsyncGenerator<Status>,
  end: () => void,
): Promise<void> {
  const { stdout } = process;
  let last: Status | undefined;
  let before: Status | undefined;
  const redraw = () => {
    if (last === undefined) return;
    const screen = { columns: columnsOfOutput(), rows: stdout.rows > 0 ? stdout.rows : 24 };
    const lines = topScreen(last, { where, before }, screen).slice(0, screen.rows);
    stdout.write(`${HOME}${lines.map((line) => line + REST_OF_LINE).join("\r\n")}${REST_OF_SCREEN}`);
  };
  const stopListening = onQuit(end);
  stdout.on("resize", redraw);
  stdout.write(ENTER);
  try {
    for await (const snapshot of snapshots) {
      before = last;
      last = snapshot;
      redraw();
    }
  } catch (error) {
    if (!isEnd(error)) throw error;
  } finally {
    stdout.write(LEAVE);
    stdout.off("resize", redraw);
    stopListening();
  }
}

function isEnd(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "aborted";
}

/** q, Ctrl-C, Ctrl-D. */
const QUITTING = ["q", "Q", "\u0003", "\u0004"];

/** Calls `end` for the key q, and for Ctrl-C, which is no signal while single keys are read. */
function onQuit(end: () => void): () => void {
  const { stdin } = process;
  if (stdin.isTTY !== true) return () => undefined;
  const onKey = (keys: Buffer) => {
    if (QUITTING.some((key) => keys.includes(key))) end();
  };
  stdin.setRawMode(true);
  stdin.on("data", onKey);
  return () => {
    stdin.setRawMode(false);
    stdin.off("data", onKey);
    stdin.pause();
  };
}
