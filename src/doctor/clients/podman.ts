/**
 * Owns what can be wrong between Podman, skopeo, buildah and Granary: files that overrule each other, prefixes that are longer, and each
 * mirror (docs/protocol.md#podman-and-skopeo).
 */

import { basename, dirname, join } from "node:path";
import { readKeptFile } from "../../files/kept-file.ts";
import type { RegistryEntry } from "../../setup/formats/registries.ts";
import { readRegistryFiles } from "../../setup/registry-files.ts";
import {
  type CheckedClient,
  type ClientCheck,
  type ClientContext,
  type Pulled,
  setupAdvice,
} from "../client-check.ts";
import { judgeMirror } from "../judge-mirror.ts";
import { type Observation, type Says, says } from "../observation.ts";
import { findProgram, inScratchFolder, lastLine, runProgram } from "../run-program.ts";
import { orderFindings } from "./docker.ts";

export const podmanCheck: ClientCheck = { programs: ["podman", "skopeo", "buildah"], check, pull };

/** What official images are called. */
const NAME = "docker.io/library/hello-world";

type Placed = RegistryEntry & { readonly path: string };

async function check({ file }: ClientContext): Promise<CheckedClient> {
  const say = says("podman");
  const files = await readRegistryFiles(file);
  const broken = files.filter(({ problem }) => problem !== undefined);
  if (broken.length > 0) {
    const findings = broken.map(({ path, problem }) =>
      say.wrong(`${path} cannot be read: ${problem}; every pull fails with it.`, "Mend the file."),
    );
    return { findings, isPointedHere: false };
  }
  const entries = files.flatMap(({ path, entries: found }) => found.map((entry) => ({ ...entry, path })));
  const counting = countingEntry(entries);
  const others = entries.filter((entry) => entry !== counting && matches(entry) && entry.mirrors.length > 0);
  const found = await checkEntry(say, counting, file);
  return { ...found, findings: [...overruled(say, counting, others), ...found.findings] };
}

/** The longest prefix counts, and of several entries for one prefix the last that is read. */
function countingEntry(entries: readonly Placed[]): Placed | undefined {
  const longest = Math.max(0, ...entries.filter(matches).map(({ prefix = "" }) => prefix.length));
  return entries.findLast((entry) => matches(entry) && entry.prefix?.length === longest);
}

function matches({ prefix = "" }: RegistryEntry): boolean {
  if (prefix.startsWith("*.")) return NAME.split("/")[0]?.endsWith(prefix.slice(1)) === true;
  return prefix !== "" && (NAME === prefix || NAME.startsWith(`${prefix}/`));
}

function overruled(say: Says, counting: Placed | undefined, others: readonly Placed[]): Observation[] {
  if (counting === undefined) return [];
  return others.map(({ path, prefix }) =>
    say.wrong(
      `The mirrors of ${prefix} in ${path} are not used: the entry ${counting.prefix} in ${counting.path} ${counting.prefix === prefix ? "is read after it" : "has a longer prefix"}, and counts alone.`,
      "Put the mirror into the entry that counts, or remove that one.",
    ),
  );
}

async function checkEntry(say: Says, entry: Placed | undefined, file: string): Promise<CheckedClient> {
  const advice = setupAdvice("podman");
  if (entry === undefined)
    return {
      findings: [say.wrong("No file names a mirror of docker.io: Podman asks Docker Hub itself.", advice)],
      isPointedHere: false,
    };
  const findings: Observation[] = [];
  if (entry.isBlocked)
    findings.push(
      say.wrong(
        `${entry.path} blocks ${entry.prefix}: no image of it can be pulled.`,
        "Take out blocked = true.",
      ),
    );
  if (entry.isByDigestOnly)
    findings.push(
      say.wrong(
        `${entry.path} sends only names with a digest to the mirrors (mirror-by-digest-only): tags go to Docker Hub itself.`,
        "Take that line out.",
      ),
    );
  if (entry.mirrors.length === 0)
    return {
      findings: [
        ...findings,
        say.wrong(`${entry.prefix} in ${entry.path} has no mirror: Podman asks Docker Hub itself.`, advice),
      ],
      isPointedHere: false,
    };
  const judged = await Promise.all(entry.mirrors.map((mirror) => judge(say, mirror, file)));
  const names = entry.mirrors.map(({ location = "" }) => location);
  const order = orderFindings(
    say,
    names,
    judged.map(({ isUsed }) => isUsed),
  );
  const isPointedHere = findings.length === 0 && judged[0]?.isUsed === true;
  return { findings: [...findings, ...judged.flatMap((each) => each.findings), ...order], isPointedHere };
}

async function judge(say: Says, { location = "", isInsecure }: Placed["mirrors"][number], file: string) {
  const [host = "", ...path] = location.split("/");
  const ca = await readKeptFile(join(configFolder(file), "certs.d", host, "ca.crt"));
  const judged = await judgeMirror(say, {
    origin: `${isInsecure ? "http" : "https"}://${host}`,
    ca: ca?.text,
    login: "unknown",
    registry: "Docker Hub",
  });
  // With insecure the libraries try https first, and do not look at the certificate.
  const isHttps =
    isInsecure && !judged.isUsed
      ? await judgeMirror(say, {
          origin: `https://${host}`,
          ca: ca?.text,
          login: "unknown",
          registry: "Docker Hub",
        })
      : undefined;
  const used = isHttps?.isUsed === true ? isHttps : judged;
  const prefix = path.join("/");
  if (!used.isUsed || prefix === "" || /^docker\.io(?:\/|$)/.test(prefix)) return used;
  return {
    isUsed: false,
    findings: [
      say.wrong(
        `The mirror ${location} means "${prefix}" at Granary, and not Docker Hub.`,
        `Write location = "${host}/docker.io".`,
      ),
    ],
  };
}

function configFolder(file: string): string {
  return basename(dirname(file)).endsWith(".d") ? dirname(dirname(file)) : dirname(file);
}

const PULL_MS = 180_000;

/** skopeo leaves nothing behind; it reads the same files. */
async function pull(image: string, { env }: ClientContext): Promise<Pulled> {
  const skopeo = await findProgram("skopeo", env);
  return skopeo === undefined ? await pullByPodman(image, env) : await copyBySkopeo(skopeo, image);
}

function copyBySkopeo(skopeo: string, image: string): Promise<Pulled> {
  return inScratchFolder(async (folder) => {
    const args = ["copy", "--quiet", `docker://${image}`, `dir:${folder}`];
    const { isDone, err } = await runProgram(skopeo, args, PULL_MS);
    return { isDone, why: lastLine(err) };
  });
}

async function pullByPodman(image: string, env: ClientContext["env"]): Promise<Pulled> {
  const podman = await findProgram("podman", env);
  if (podman === undefined) return { isDone: false, why: "there is neither skopeo nor podman" };
  const had = (await runProgram(podman, ["image", "exists", image], PULL_MS)).isDone;
  const { isDone, err } = await runProgram(podman, ["pull", "--quiet", image], PULL_MS);
  if (!had) await runProgram(podman, ["image", "rm", image], PULL_MS);
  return { isDone, why: lastLine(err) };
}
