/** Owns what can be wrong between Granary and the clients that are looked at by their files alone: k3s, BuildKit and Ollama. */
import { dirname, join } from "node:path";
import { isGranaryError } from "../../errors.ts";
import { namesIn } from "../../files/disk.ts";
import { readKeptFile } from "../../files/kept-file.ts";
import type { PlainTree, PlainValue } from "../../setup/change.ts";
import { variablesOf } from "../../setup/formats/unit.ts";
import { parseTomlTree, parseYamlTree } from "../../setup/read-config.ts";
import { isTree } from "../../setup/tree-edits.ts";
import { type CheckedClient, type ClientCheck, type ClientContext, setupAdvice } from "../client-check.ts";
import { type JudgedMirror, judgeMirror } from "../judge-mirror.ts";
import { type Observation, type Says, says } from "../observation.ts";
import { orderFindings } from "./docker.ts";

export const k3sCheck: ClientCheck = {
  programs: ["k3s", "rke2"],
  check: ({ file }) =>
    checkTree("k3s", file, parseYamlTree, async (tree) => {
      const endpoints = textsAt(tree, "mirrors", "docker.io", "endpoint");
      const list = endpoints.length > 0 ? endpoints : textsAt(tree, "mirrors", "*", "endpoint");
      return await Promise.all(
        list.map(async (endpoint) => {
          const url = new URL(/^https?:/.test(endpoint) ? endpoint : `https://${endpoint}`);
          const config = treeAt(tree, "configs", url.host);
          const ca = await textIn(treeAt(config, "tls").ca_file);
          return {
            origin: url.origin,
            ca,
            login: "auth" in config ? "configured" : "unknown",
            registry: "Docker Hub",
          } as const;
        }),
      );
    }),
};

export const buildkitCheck: ClientCheck = {
  programs: ["buildkitd"],
  check: ({ file }) =>
    checkTree("buildkit", file, parseTomlTree, async (tree) =>
      Promise.all(
        textsAt(tree, "registry", "docker.io", "mirrors").map(async (mirror) => {
          const [host = ""] = mirror.split("/");
          const own = treeAt(tree, "registry", host);
          const isPlain = own.http === true || own.insecure === true;
          const [caFile] = Array.isArray(own.ca) ? own.ca : [];
          return {
            origin: `${isPlain ? "http" : "https"}://${host}`,
            ca: await textIn(caFile),
            login: "unknown",
            registry: "Docker Hub",
          } as const;
        }),
      ),
    ),
};

export const ollamaCheck: ClientCheck = { programs: ["ollama"], check: checkOllama };

type Mirrors = (tree: PlainTree) => Promise<readonly JudgedMirror[]>;

async function checkTree(
  client: "k3s" | "buildkit",
  file: string,
  parse: (text: string) => PlainTree,
  mirrorsOf: Mirrors,
): Promise<CheckedClient> {
  const say = says(client);
  try {
    const found = await readKeptFile(file);
    const mirrors = found === undefined ? [] : await mirrorsOf(parse(found.text));
    if (mirrors.length === 0)
      return {
        findings: [
          say.wrong(`${file} names no mirror of docker.io: Docker Hub itself is asked.`, setupAdvice(client)),
        ],
        isPointedHere: false,
      };
    return await judgeAll(say, mirrors);
  } catch (error) {
    if (!isGranaryError(error)) throw error;
    return {
      findings: [say.wrong(`${file} cannot be read: ${error.message.replace(/\.$/, "")}.`, "Mend the file.")],
      isPointedHere: false,
    };
  }
}

async function judgeAll(say: Says, mirrors: readonly JudgedMirror[]): Promise<CheckedClient> {
  const judged = await Promise.all(mirrors.map((mirror) => judgeMirror(say, mirror)));
  const order = orderFindings(
    say,
    mirrors.map(({ origin }) => origin),
    judged.map(({ isUsed }) => isUsed),
  );
  return {
    findings: [...judged.flatMap(({ findings }) => findings), ...order],
    isPointedHere: judged[0]?.isUsed === true,
  };
}

/** Of several drop-ins the last by name counts. */
async function checkOllama({ file }: ClientContext): Promise<CheckedClient> {
  const say = says("ollama");
  const folder = dirname(file);
  const names = (await namesIn(folder)).filter((name) => name.endsWith(".conf")).sort();
  const texts = await Promise.all(names.map((name) => readKeptFile(join(folder, name))));
  const variables = new Map(texts.flatMap((found) => [...variablesOf(found?.text ?? "")]));
  const proxy = URL.parse(variables.get("HTTP_PROXY") ?? variables.get("http_proxy") ?? "");
  if (proxy === null) return { findings: noProxy(say), isPointedHere: false };
  const judged = await judgeMirror(say, {
    origin: proxy.origin,
    login: "impossible",
    registry: "registry.ollama.ai",
  });
  const plain = say.note(
    "Only `ollama pull --insecure NAME` goes through it: without --insecure Ollama asks by https, past the proxy.",
  );
  return { findings: [...judged.findings, plain], isPointedHere: judged.isUsed };
}

function noProxy(say: Says): Observation[] {
  return [
    say.note(
      "Its service has no HTTP_PROXY: only names with the address of Granary come through it (ollama pull --insecure HOST:11435/library/NAME).",
      setupAdvice("ollama"),
    ),
  ];
}

function treeAt(tree: PlainTree, ...path: readonly string[]): PlainTree {
  return path.reduce<PlainTree>((at, key) => {
    const next = at[key];
    return isTree(next) ? next : {};
  }, tree);
}

function textsAt(tree: PlainTree, first: string, second: string, last: string): string[] {
  const list = treeAt(tree, first, second)[last];
  return Array.isArray(list) ? list.filter((each) => typeof each === "string") : [];
}

async function textIn(path: PlainValue | undefined): Promise<string | undefined> {
  return typeof path === "string" ? (await readKeptFile(path))?.text : undefined;
}
