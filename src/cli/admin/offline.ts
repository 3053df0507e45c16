/** Owns `granary offline`: upstreams are set offline and back, or listed. */
import { Argument, Command } from "commander";
import { misused } from "../exit-code.ts";
import { printJson, printLine } from "../output.ts";
import type { AnswerOf } from "./admin-client.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const offlineChangeSchema = async () =>
  (await import("../../http/admin/routes/offline-routes.ts")).offlineChangeSchema;
const offlineSchema = async () => (await import("../../http/admin/routes/offline-routes.ts")).offlineSchema;

export function offlineCommand(): Command {
  const command = new Command("offline")
    .description(
      "Serve only what is stored, and ask an upstream nothing, until it is set back. What is being fetched waits; without on or off: say which upstreams are offline.",
    )
    .addArgument(
      new Argument("[state]", "on: nothing is asked from now on; off: it is asked again").choices([
        "on",
        "off",
      ]),
    )
    .argument("[upstream]", "such as docker.io; all of them when left out")
    .action(run);
  const examples = [
    "granary offline on",
    "granary offline on docker.io",
    "granary offline off",
    "granary offline",
  ];
  return asAdminVerb(command, ["change", "alone"], ...examples);
}

async function run(
  state: "on" | "off" | undefined,
  upstream: string | undefined,
  { dryRun, json }: AdminFlags,
  command: Command,
): Promise<void> {
  const path = "/api/v1/offline";
  if (state === undefined && dryRun === true) throw misused("--dry-run goes with on or off.");
  await askServer(command, { alone: true }, async (client) => {
    if (state === undefined) {
      const { offline } = await client.get(offlineSchema, path);
      if (json === true) printJson({ offline });
      else printLine(offline.length === 0 ? "No upstream is offline." : listed(offline));
      return;
    }
    const body = { offline: state === "on", ...(upstream !== undefined && { upstream }) };
    const answer = await client.ask(offlineChangeSchema, { method: "POST", path, query: { dryRun }, body });
    if (json === true) printJson(answer);
    else printLine(sayingOf(state, answer));
  });
}

function listed(offline: AnswerOf<typeof offlineSchema>["offline"]): string {
  return offline
    .map(({ upstream, since }) => `${upstream} is offline since ${new Date(since).toISOString()}.`)
    .join("\n");
}

function sayingOf(state: "on" | "off", { changed, dryRun }: AnswerOf<typeof offlineChangeSchema>): string {
  const be = dryRun === true ? "would be" : changed.length === 1 ? "is" : "are";
  const names = changed.join(", ");
  if (changed.length === 0) return "That changes nothing.";
  if (state === "off") return `${names} ${be} asked again.`;
  const back = changed.length === 1 ? ` ${changed[0]}` : "";
  return `${names} ${be} offline: what is stored is served, and nothing is asked. Back with: granary offline off${back}`;
}
