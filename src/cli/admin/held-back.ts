/** Owns `granary held-back` and `granary approve`: what is too new to pass, and letting it through all the same. */
import { Command } from "commander";
import type { HeldView } from "../../http/admin/routes/passage-routes.ts";
import { formatFacts } from "../facts.ts";
import { columnsOfOutput, printJson, printLine } from "../output.ts";
import { type AdminFlags, asAdminVerb } from "./admin-options.ts";
import { askServer } from "./ask-server.ts";

const approvalSchema = async () => (await import("../../http/admin/routes/passage-routes.ts")).approvalSchema;
const heldBackSchema = async () => (await import("../../http/admin/routes/passage-routes.ts")).heldBackSchema;

export function heldBackCommand(): Command {
  const command = new Command("held-back")
    .description(
      "List what is too new to pass (upstreams.NAME.cooldown): old and new digest, and when it passes.",
    )
    .action(list);
  return asAdminVerb(command, ["alone"], "granary held-back --json");
}

export function approveCommand(): Command {
  const command = new Command("approve")
    .argument("<pattern>", "what is held back, such as alpine:3.22, alpine or ghcr.io/org/app@sha256:...")
    .description("Let through now what is held back because it is new.")
    .action(approve);
  return asAdminVerb(
    command,
    ["change", "alone"],
    "granary approve alpine:3.22",
    "granary approve alpine --dry-run",
  );
}

async function list({ json }: AdminFlags, command: Command): Promise<void> {
  const { items } = await askServer(command, { alone: true }, (client) =>
    client.get(heldBackSchema, "/api/v1/held-back"),
  );
  if (json === true) return printJson(items);
  if (items.length === 0) return printLine("Nothing is held back.");
  for (const [index, held] of items.entries()) {
    if (index > 0) printLine("");
    printLine(`${held.name}\n${formatFacts(factsOf(held), columnsOfOutput())}`);
  }
}

async function approve(pattern: string, { dryRun, json }: AdminFlags, command: Command): Promise<void> {
  const answer = await askServer(command, { alone: true }, (client) =>
    client.ask(approvalSchema, {
      method: "POST",
      path: "/api/v1/approve",
      query: { dryRun },
      body: { pattern },
    }),
  );
  if (json === true) return printJson(answer);
  for (const { name, newDigest } of answer.approved)
    printLine(`${name}: ${newDigest} ${dryRun === true ? "would pass" : "passes"} from now on.`);
}

function factsOf({ oldDigest, newDigest, firstSeenAt, passesAt }: HeldView) {
  return [
    ["  served", oldDigest ?? "nothing: it is refused"],
    ["  new", newDigest],
    ["  first seen", new Date(firstSeenAt).toISOString()],
    ["  passes", new Date(passesAt).toISOString()],
  ] as const;
}
