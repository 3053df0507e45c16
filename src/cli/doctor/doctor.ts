/** Owns `granary doctor`: whether pulls really go through the cache, from the settings to each client. It changes nothing. */
import { setTimeout as sleep } from "node:timers/promises";
import { Command, Option } from "commander";
import { readCertificates } from "../../config/files.ts";
import type { Settings } from "../../config/settings.ts";
import {
  type CheckedKind,
  CLIENT_CHECKS,
  checkClient,
  clientsHere,
  type PullPlan,
} from "../../doctor/client-checks.ts";
import { countServed } from "../../doctor/count-served.ts";
import { type Observation, says, sentence } from "../../doctor/observation.ts";
import { probeListener } from "../../doctor/probe-listener.ts";
import type { CountServed } from "../../doctor/prove-pull.ts";
import { refusalOf } from "../../doctor/refusal-of.ts";
import { messageOf } from "../../errors.ts";
import { clientUrls } from "../../http/connections/exposure.ts";
import { formatReference, parseReference } from "../../oci/reference.ts";
import { CLIENT_SETUPS } from "../../setup/setup-client.ts";
import { misused } from "../exit-code.ts";
import { withExamples } from "../help.ts";
import { printJson, printLine } from "../output.ts";
import { typedUrl } from "../setup/mirror-address.ts";
import { countPulls } from "./count-pulls.ts";
import { checkServer, type ServerFlags } from "./server-findings.ts";

type DoctorFlags = ServerFlags & {
  readonly client?: readonly CheckedKind[];
  readonly serverAddress?: string;
  readonly caFile?: string;
  readonly file?: string;
  readonly image: string;
  readonly pull: boolean;
  readonly json?: boolean;
};

const EXITS = `
It changes nothing; an image that it pulls is taken out of the client again.
Exit codes: 0 all is well; 1 something is wrong; 2 wrong usage.`;

export function doctorCommand(): Command {
  const clients = new Option(
    "--client <client...>",
    "look at these clients (default: those that are on this machine)",
  );
  const command = new Command("doctor")
    .description(
      "Find out whether pulls really go through the cache: settings, disk, clock, upstreams, listeners, each client's configuration, and a pull that is seen arriving.",
    )
    .addOption(clients.choices(Object.keys(CLIENT_CHECKS)))
    .option(
      "--server-address <url>",
      "a Granary on another machine: only its listener and the clients here are looked at",
    )
    .option(
      "--upstream <name...>",
      "ask these upstreams (default: those of the listeners and of the settings)",
    )
    .option("--file <path>", "with one client: its file, where it is not at its usual place")
    .option("--image <name>", "what is pulled", "docker.io/library/hello-world:latest")
    .option("--no-pull", "pull nothing")
    .option(
      "--ca-file <file>",
      "with an https --server-address: a PEM file with the authority that signed its certificate",
    )
    .option("-c, --config <file>", "the settings of Granary (default: where serve looks)")
    .option("-d, --directory <directory>", "the storage directory; wins over the configuration")
    .option("--json", "print one JSON value on standard output")
    .action(run);
  return withExamples(command, [
    "granary doctor",
    "granary doctor --client docker --server-address http://192.168.1.10:5000",
  ]).addHelpText("after", EXITS);
}

/** Where a listener can be asked how much it served. */
type Counted = {
  readonly origin: string;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
};

async function run(flags: DoctorFlags, command: Command): Promise<void> {
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
  const origin = typedUrl(address, "docker");
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
