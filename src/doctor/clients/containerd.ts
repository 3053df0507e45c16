/**
 * Owns what can be wrong between containerd and Granary: a folder of hosts that nobody reads, folders and files with names that are not
 * looked for, and each host in hosts.toml. All of it fails without a word (docs/protocol.md#containerd).
 */
import { dirname, join } from "node:path";
import { isGranaryError } from "../../errors.ts";
import { namesIn } from "../../files/disk.ts";
import { readKeptFile } from "../../files/kept-file.ts";
import type { PlainTree, PlainValue } from "../../setup/change.ts";
import { readContainerdConfig } from "../../setup/containerd-config.ts";
import { parseTomlTree } from "../../setup/read-config.ts";
import { isTree } from "../../setup/tree-edits.ts";
import {
  type CheckedClient,
  type ClientCheck,
  type ClientContext,
  type Pulled,
  setupAdvice,
} from "../client-check.ts";
import { judgeMirror } from "../judge-mirror.ts";
import { type Observation, type Says, says } from "../observation.ts";
import { findProgram, lastLine, runProgram } from "../run-program.ts";
import { orderFindings } from "./docker.ts";

export const containerdCheck: ClientCheck = { programs: ["containerd", "ctr"], check, pull };

const NOTHING = { findings: [], isPointedHere: false };

async function check({ file }: ClientContext): Promise<CheckedClient> {
  const say = says("containerd");
  try {
    const config = await readContainerdConfig(file);
    const folder = config.folder ?? join(dirname(file), "certs.d");
    const findings: Observation[] = [];
    if (config.isCriOff)
      findings.push(
        say.note(`${file} switches the CRI plugin off: Kubernetes does not use this containerd.`),
      );
    else if (config.folder === undefined)
      findings.push(
        say.wrong(
          `config_path is not set in ${file}: Kubernetes reads no hosts.toml, and goes to the registries themselves.`,
          setupAdvice("containerd"),
        ),
      );
    if (config.isSeveral)
      findings.push(
        say.wrong(
          `config_path in ${file} names several folders with colons between them; some releases then read none of them (containerd/containerd#12808).`,
          `Name ${folder} alone there.`,
        ),
      );
    if (config.hasOldMirrors && config.folder !== undefined)
      findings.push(
        say.wrong(
          `${file} has mirrors in the older form beside config_path: the CRI plugin does not start with both.`,
          "Move them to hosts.toml files, and remove them there.",
        ),
      );
    findings.push(...(await nameFindings(say, folder)));
    const hosts = await checkHosts(say, folder);
    return { findings: [...findings, ...hosts.findings], isPointedHere: hosts.isPointedHere };
  } catch (error) {
    if (!isGranaryError(error)) throw error;
    return {
      ...NOTHING,
      findings: [say.wrong(error.message.replace(" is left as it is:", ":"), "Mend the file.")],
    };
  }
}

/** Names under which people look for Docker Hub, and containerd does not. */
const WRONG_FOLDERS = [
  "registry-1.docker.io",
  "index.docker.io",
  "registry.hub.docker.com",
  "hub.docker.com",
  "www.docker.io",
];

async function nameFindings(say: Says, folder: string): Promise<Observation[]> {
  const names = await namesIn(folder);
  const wrongNames = names.filter(
    (name) => WRONG_FOLDERS.includes(name) || /^https?:/.test(name) || /\.toml$/.test(name),
  );
  const found = wrongNames.map((name) =>
    say.wrong(
      `${join(folder, name)} is looked for by nobody: the folder of a registry is called as its images are, docker.io for Docker Hub, with a hosts.toml in it.`,
      setupAdvice("containerd"),
    ),
  );
  const inside = await Promise.all(
    names
      .filter((name) => !wrongNames.includes(name))
      .map(async (name) => fileFindings(say, join(folder, name))),
  );
  return [...found, ...inside.flat()];
}

/** `host.toml` and the like. */
async function fileFindings(say: Says, folder: string): Promise<Observation[]> {
  const names = await namesIn(folder).catch(() => []);
  const others = names.filter((name) => name !== "hosts.toml" && /\.ya?ml$|\.toml$/.test(name));
  return others.map((name) =>
    say.wrong(
      `${join(folder, name)} is read by nobody: the file must be called hosts.toml.`,
      `Call it ${join(folder, "hosts.toml")}.`,
    ),
  );
}

/** For Docker Hub; `_default` stands in for a registry without a folder of its own. */
async function checkHosts(say: Says, folder: string): Promise<CheckedClient> {
  const places = ["docker.io", "_default"].map((name) => join(folder, name, "hosts.toml"));
  for (const path of places) {
    const found = await readKeptFile(path);
    if (found === undefined) continue;
    try {
      return await checkHostsFile(say, path, parseTomlTree(found.text));
    } catch (error) {
      if (!isGranaryError(error)) throw error;
      return {
        ...NOTHING,
        findings: [
          say.wrong(
            `${path} cannot be read: ${error.message}; containerd goes to the registry itself without a word.`,
            "Mend the file.",
          ),
        ],
      };
    }
  }
  return {
    ...NOTHING,
    findings: [
      say.wrong(`There is no ${places[0]}: containerd asks Docker Hub itself.`, setupAdvice("containerd")),
    ],
  };
}

async function checkHostsFile(say: Says, path: string, tree: PlainTree): Promise<CheckedClient> {
  const hosts = Object.entries(isTree(tree.host) ? tree.host : {});
  if (hosts.length === 0)
    return {
      ...NOTHING,
      findings: [
        say.wrong(`${path} names no host: containerd asks Docker Hub itself.`, setupAdvice("containerd")),
      ],
    };
  const judged = await Promise.all(
    hosts.map(([host, settings]) => judgeHost(say, path, host, isTree(settings) ? settings : {})),
  );
  const names = hosts.map(([host]) => host);
  const order = orderFindings(
    say,
    names,
    judged.map(({ isUsed }) => isUsed),
  );
  return {
    findings: [...judged.flatMap(({ findings }) => findings), ...order],
    isPointedHere: judged[0]?.isUsed === true,
  };
}

async function judgeHost(say: Says, path: string, host: string, settings: PlainTree) {
  // Without a scheme containerd takes https.
  const url = URL.parse(/^https?:/.test(host) ? host : `https://${host}`);
  if (url === null) return { isUsed: false, findings: [say.wrong(`"${host}" in ${path} is no URL.`)] };
  const isLoggedIn =
    isTree(settings.header) &&
    Object.keys(settings.header).some((name) => name.toLowerCase() === "authorization");
  const ca = await authorityOf(settings.ca, dirname(path));
  const judged = await judgeMirror(say, {
    origin: url.origin,
    ca,
    login: isLoggedIn ? "configured" : "unknown",
    registry: "Docker Hub",
  });
  const { capabilities } = settings;
  const lacking = Array.isArray(capabilities)
    ? ["pull", "resolve"].filter((each) => !capabilities.includes(each))
    : [];
  const lack = lacking.map((each) =>
    say.wrong(
      `The host ${host} in ${path} has no "${each}" among its capabilities: for that the registry itself is asked.`,
      'Write capabilities = ["pull", "resolve"].',
    ),
  );
  return { isUsed: judged.isUsed && lack.length === 0, findings: [...judged.findings, ...lack] };
}

async function authorityOf(ca: PlainValue | undefined, folder: string): Promise<string | undefined> {
  const paths = (Array.isArray(ca) ? ca : [ca]).filter((each) => typeof each === "string");
  const files = await Promise.all(
    paths.map((path) => readKeptFile(path.startsWith("/") ? path : join(folder, path))),
  );
  return files.length === 0 ? undefined : files.map((each) => each?.text ?? "").join("\n");
}

const PULL_MS = 180_000;
const PATIENCE_MS = 15_000;

/** ctr does not read config.toml: it is told the folder. */
async function pull(image: string, { file, env }: ClientContext): Promise<Pulled> {
  const ctr = await findProgram("ctr", env);
  if (ctr === undefined) return { isDone: false, why: "there is no ctr command" };
  const folder = (await readContainerdConfig(file)).folder ?? join(dirname(file), "certs.d");
  const had =
    (await runProgram(ctr, ["images", "list", "--quiet", `name==${image}`], PATIENCE_MS)).out.trim() !== "";
  const pulled = await runProgram(ctr, ["content", "fetch", "--hosts-dir", folder, image], PULL_MS);
  if (!had) await runProgram(ctr, ["images", "remove", image], PATIENCE_MS);
  return { isDone: pulled.isDone, why: lastLine(pulled.err) };
}
