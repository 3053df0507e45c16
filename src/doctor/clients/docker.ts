/** Owns what can be wrong between Docker and Granary: daemon.json, whether the engine has read it, and each mirror in it. */
import { dirname, join } from "node:path";
import { isGranaryError } from "../../errors.ts";
import { readKeptFile } from "../../files/kept-file.ts";
import { readJsonConfig } from "../../setup/read-config.ts";
import { type CheckedClient, type ClientCheck, type ClientContext, setupAdvice } from "../client-check.ts";
import { judgeMirror } from "../judge-mirror.ts";
import { type Observation, type Says, says } from "../observation.ts";
import { findProgram, lastLine, runProgram } from "../run-program.ts";

const PATIENCE_MS = 15_000;

export const dockerCheck: ClientCheck = { programs: ["docker", "dockerd"], check, pull };

async function check({ file, env }: ClientContext): Promise<CheckedClient> {
  const say = says("docker");
  const written = await writtenMirrors(file).catch((error: unknown) => {
    if (!isGranaryError(error)) throw error;
    return say.wrong(
      `${file} cannot be read: ${error.message.replace(/\.$/, "")}; the engine does not start with it.`,
      "Mend the file.",
    );
  });
  if ("level" in written) return { findings: [written], isPointedHere: false };
  const loaded = await loadedMirrors(env);
  const mirrors = loaded ?? written;
  const findings: Observation[] = [];
  if (loaded === undefined)
    findings.push(
      say.note(
        "The engine does not tell which mirrors it uses: only its file was looked at.",
        "Is it running, and may this user ask it? (docker info)",
      ),
    );
  else if (written.some((mirror) => !loaded.includes(mirror)))
    findings.push(
      say.wrong(
        `The engine has not loaded ${file}: it uses ${loaded.join(", ") || "no mirror"}, and the file names ${written.join(", ")}.`,
        "sudo systemctl reload docker",
      ),
    );
  if (mirrors.length === 0) {
    return {
      findings: [
        ...findings,
        say.wrong("No registry-mirrors are set: Docker asks Docker Hub itself.", setupAdvice("docker")),
      ],
      isPointedHere: false,
    };
  }
  const judged = await Promise.all(mirrors.map((mirror) => judge(say, mirror, file)));
  const order = orderFindings(
    say,
    mirrors,
    judged.map(({ isUsed }) => isUsed),
  );
  return {
    findings: [...findings, ...judged.flatMap((each) => each.findings), ...order],
    isPointedHere: judged[0]?.isUsed === true,
  };
}

async function judge(say: Says, mirror: string, file: string) {
  const url = new URL(mirror);
  const ca = await readKeptFile(join(dirname(file), "certs.d", url.host, "ca.crt"));
  return await judgeMirror(say, {
    origin: url.origin,
    ca: ca?.text,
    login: "impossible",
    registry: "Docker Hub",
  });
}

/** The first mirror that answers gives the image: a Granary behind another is asked for nothing. */
export function orderFindings(
  say: Says,
  mirrors: readonly string[],
  areUsed: readonly boolean[],
): Observation[] {
  const first = areUsed.indexOf(true);
  if (first < 0) return [say.wrong("None of the mirrors is a Granary that this client can use.")];
  if (first === 0) return [];
  return [
    say.wrong(
      `${mirrors[0] ?? ""} is asked before Granary, which sees only what that one does not have.`,
      "Put the mirror of Granary first.",
    ),
  ];
}

async function writtenMirrors(file: string): Promise<string[]> {
  const found = await readKeptFile(file);
  return found === undefined ? [] : mirrorsIn(readJsonConfig(found.text)["registry-mirrors"]);
}

/** What the running engine uses; undefined where it does not tell. */
async function loadedMirrors(env: ClientContext["env"]): Promise<string[] | undefined> {
  const docker = await findProgram("docker", env);
  if (docker === undefined) return undefined;
  const { isDone, out } = await runProgram(
    docker,
    ["info", "--format", "{{json .RegistryConfig.Mirrors}}"],
    PATIENCE_MS,
  );
  if (!isDone || !/^(?:\[|null)/.test(out.trim())) return undefined;
  return mirrorsIn(JSON.parse(out));
}

/** The engine shows them with a slash at the end. */
function mirrorsIn(value: unknown): string[] {
  const texts = Array.isArray(value) ? value.filter((each) => typeof each === "string") : [];
  return texts.map((each) => each.replace(/\/+$/, "")).filter((each) => URL.canParse(each));
}

const PULL_MS = 180_000;

async function pull(image: string, { env }: ClientContext) {
  const docker = await findProgram("docker", env);
  if (docker === undefined) return { isDone: false, why: "there is no docker command" };
  const had = (await runProgram(docker, ["image", "inspect", image], PATIENCE_MS)).isDone;
  const pulled = await runProgram(docker, ["pull", "--quiet", image], PULL_MS);
  if (!had) await runProgram(docker, ["image", "rm", image], PATIENCE_MS);
  return { isDone: pulled.isDone, why: lastLine(pulled.err) };
}
