/** Owns what the doctor finds out about the Granary of this machine: its settings, whether it runs, its storage, listeners and upstreams. */
import type { Command } from "commander";
import { formatDuration } from "../../bytes/units.ts";
import { findConfig } from "../../config/find-config.ts";
import { loadSettings } from "../../config/load.ts";
import type { Settings } from "../../config/settings.ts";
import { type Observation, says, sentence } from "../../doctor/observation.ts";
import { messageOf } from "../../errors.ts";
import type { Status } from "../../http/admin/routes/status-routes.ts";
import { askServer } from "../admin/ask-server.ts";
import { examine } from "./examine.ts";

const statusSchema = async () => (await import("../../http/admin/routes/status-routes.ts")).statusSchema;

export type ServerFlags = {
  readonly config?: string;
  readonly directory?: string;
  readonly upstream?: readonly string[];
};

/** What was found, and the settings where they can be used. */
export type CheckedServer = {
  readonly findings: readonly Observation[];
  readonly settings: Settings | undefined;
};

export async function checkServer(command: Command, flags: ServerFlags): Promise<CheckedServer> {
  const { good, wrong } = says("settings");
  const file = await findConfig(flags.config, process.env);
  const settings = await loadSettings(file, process.env).catch((error: unknown) =>
    wrong(sentence(messageOf(error)), "Mend the settings; granary serve --check says when they can be used."),
  );
  if ("level" in settings) return { findings: [settings], settings: undefined };
  const placed = flags.directory === undefined ? settings : withDirectory(settings, flags.directory);
  const running = await statusOf(command);
  const { status } = running;
  const away = status?.upstreams.filter(({ offlineSince }) => offlineSince !== undefined) ?? [];
  const offline = new Set(away.map(({ name }) => name));
  const examined = await examine(placed, { used: status?.disk.used, offline }, flags.upstream);
  const findings: Observation[] = [
    good(`${file ?? "The built-in settings"} can be used.`),
    ...(isAnswering(examined) ? running.findings.map(unlessAsked) : running.findings),
    ...examined,
  ];
  return { findings: withoutRepeats(findings), settings: placed };
}

function isAnswering(findings: readonly Observation[]): boolean {
  return findings.some(({ area, level }) => level === "good" && area.startsWith("listener "));
}

/** A server that answers its clients runs, whoever may ask it for its status. */
function unlessAsked(finding: Observation): Observation {
  if (finding.level !== "wrong" || !finding.text.startsWith("No Granary runs")) return finding;
  const { note } = says(finding.area);
  const text = "A Granary answers its clients, and cannot be asked for its status in this storage directory.";
  return note(text, "Run this as the user that it runs as, or name its directory by --directory.");
}

function withDirectory(settings: Settings, directory: string): Settings {
  return { ...settings, storage: { ...settings.storage, directory } };
}

async function statusOf(
  command: Command,
): Promise<{ readonly status?: Status; readonly findings: readonly Observation[] }> {
  const { good, wrong } = says("server");
  try {
    const status = await askServer(command, {}, (client) => client.get(statusSchema, "/api/v1/status"));
    const up = formatDuration(Math.max(0, status.now - status.startedAt));
    const troubles = status.troubles.map((trouble) => wrong(sentence(trouble)));
    const away = status.upstreams.filter(({ circuit }) => circuit === "open");
    const silent = away.map(({ name, reason = "it fails" }) =>
      wrong(sentence(`${name} is not asked for now: ${reason}`)),
    );
    return { status, findings: [good(`Granary ${status.version} runs, for ${up}.`), ...troubles, ...silent] };
  } catch (error) {
    return { findings: [wrong(sentence(messageOf(error)))] };
  }
}

/** Listeners and the server tell the same trouble; the clock is one. */
function withoutRepeats(findings: readonly Observation[]): Observation[] {
  const seen = new Set<string>();
  return findings.filter(({ area, level, text }) => {
    const key = area === "clock" ? `clock ${level}` : level === "wrong" ? text : `${area} ${text}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
