/** Owns what `granary doctor` does: whether pulls really go through the cache, from the settings to each client. It changes nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { readCertificates } from "../../config/files.ts";
import type { Settings } from "../../config/settings.ts";
import { checkClient, clientsHere, type PullPlan } from "../../doctor/client-checks.ts";
import { countServed } from "../../doctor/count-served.ts";
import { type Observation, says, sentence } from "../../doctor/observation.ts";
import { probeListener } from "../../doctor/probe-listener.ts";
import type { CountServed } from "../../doctor/prove-pull.ts";
import { refusalOf } from "../../doctor/refusal-of.ts";
import { messageOf } from "../../errors.ts";
import { clientUrls } from "../../http/connections/exposure.ts";
import { formatReference, parseReference } from "../../oci/reference.ts";
import type { CheckedKind } from "../../setup/client-kinds.ts";
import { CLIENT_SETUPS } from "../../setup/setup-client.ts";
import { misused } from "../exit-code.ts";
import { printJson, printLine } from "../output.ts";
import { typedUrl, USUAL_PORT } from "../setup/mirror-address.ts";
import { countPulls } from "./count-pulls.ts";
import { checkServer, type ServerFlags } from "./server-findings.ts";

export type DoctorFlags = ServerFlags & {
  readonly client?: readonly CheckedKind[];
  readonly serverAddress?: string;
  readonly caFile?: string;
  readonly file?: string;
  readonly image: string;
  readonly pull: boolean;
  readonly json?: boolean;
};

/** Where a listener can be asked how much it served. */
type Counted = {
  readonly origin: string;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
};

/** Prints what was found, and sets the exit code. Throws `config-invalid` for options that do not go together. */
export async function diagnose(flags: DoctorFlags, command: Command): Promise<void> {
  if (flags.file !== undefined && flags.client?.length !== 1)
    throw misused("--file goes with one --client: whose file is it?");
  const server =
    flags.serverAddress === undefined
      ? await ownServer(command, flags)
      : await otherServer(flags.serverAddress, flags);
  const clients = await clientFindings(flags, proofFor(command, flags, server.counted));
  const findings = [...server.findings, ...clients];
  const isWell = findings.every(({ level }) => level !== "wrong");
  if (flags.json === true) printJson({ well: isWell, findings });
  else for (const line of linesOf(findings, isWell)) printLine(line);
  process.exitCode = isWell ? 0 : 1;
}

type Server = { readonly findings: readonly Observation[]; readonly counted: Counted | undefined };

async function ownServer(command: Command, flags: DoctorFlags): Promise<Server> {
  const { findings, settings } = await checkServer(command, flags);
  return { findings, counted: settings && countedOf(settings) };
}

/** Metrics are not shown to everybody where a listener asks for a login. */
function countedOf({ listeners }: Settings): Counted | undefined {
  const open = listeners.find(({ login, port }) => login === undefined && port !== 0);
  if (open === undefined) return undefined;
  const { host, port, tls } = open;
  return {
    origin: clientUrls({ address: host ?? "127.0.0.1", port, cert: tls?.cert })[0],
    certificate: tls?.cert,
  };
}

async function otherServer(address: string, { caFile }: DoctorFlags): Promise<Server> {
  const origin = typedUrl(address, USUAL_PORT);
  const ca = caFile === undefined ? undefined : await readCertificates(caFile, "--ca-file");
  const { good, wrong } = says(`listener ${origin}`);
  const probed = await probeListener(origin, { ca });
  const counted = { origin, ca };
  if (probed.is !== "granary")
    return {
      findings: [
        wrong(sentence(probed.why), "Start granary serve there, and open the port in its firewall."),
      ],
      counted,
    };
  const troubles = probed.troubles.map((trouble) => wrong(sentence(trouble)));
  return {
    findings: [good(`It answers${probed.wantsLogin ? ", with a login" : ""}.`), ...troubles],
    counted,
  };
}

/** The pulls that the server keeps tell of this very image; from elsewhere, and for a question that is no pull, its metrics must do. */
function countsOf(
  command: Command,
  { image, serverAddress }: DoctorFlags,
  counted: Counted | undefined,
): CountServed {
  const { registry, repository } = parseReference(image);
  return async () => {
    const whole = counted && (await countServed(counted.origin, registry, counted));
    const own = serverAddress === undefined ? await countPulls(command, registry, repository) : undefined;
    return own === undefined ? whole : { ...own, looks: whole?.requests };
  };
}

function proofFor(command: Command, flags: DoctorFlags, counted: Counted | undefined): PullPlan {
  const reference = parseReference(flags.image);
  return {
    // Every client understands the whole name, and only Docker and Podman a short one.
    image: formatReference(reference),
    count: countsOf(command, flags, counted),
    pause: (ms) => sleep(ms),
    refusal: async () => counted && (await refusalOf(counted.origin, reference, counted)),
  };
}

async function clientFindings(flags: DoctorFlags, proof: PullPlan): Promise<Observation[]> {
  const kinds = flags.client ?? (await clientsHere(process.env));
  if (kinds.length === 0)
    return [says("clients").note("No client was found on this machine: name one by --client.")];
  const findings: Observation[] = [];
  // One after another: what one pulls must not be counted for another.
  for (const kind of kinds) findings.push(...(await oneClient(kind, flags, proof)));
  return findings;
}

async function oneClient(kind: CheckedKind, flags: DoctorFlags, proof: PullPlan): Promise<Observation[]> {
  const context = { file: flags.file ?? CLIENT_SETUPS[kind].usualFile, env: process.env };
  try {
    return await checkClient(kind, context, flags.pull ? proof : undefined);
  } catch (error) {
    return [says(kind).wrong(sentence(messageOf(error)))];
  }
}

const MARKS: Record<Observation["level"], string> = { good: "ok   ", note: "note ", wrong: "WRONG" };

function linesOf(findings: readonly Observation[], isWell: boolean): string[] {
  const lines = findings.flatMap(({ area, level, text, todo }) => [
    `${MARKS[level]} ${area}: ${text}`,
    ...(todo === undefined ? [] : [`      ${todo}`]),
  ]);
  const count = findings.filter(({ level }) => level === "wrong").length;
  return [...lines, isWell ? "All is well." : `${count} ${count === 1 ? "thing is" : "things are"} wrong.`];
}
