/**
 * Owns which commands there are, and how they stand together. The code of a command is loaded when that command was typed: a verb that asks a
 * running server one question must not wait for the server's own code.
 */
import type { Command } from "commander";
import { verbGroup } from "./help.ts";

/** New ones at each call, by the first word of a command line: a Command holds what was parsed. In the order in which help lists them. */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  serve: async () => (await import("./serve.ts")).serveCommand(),
  health: async () => (await import("./health.ts")).healthCommand(),
  status: async () => (await import("./admin/status.ts")).statusCommand(),
  list: async () => (await import("./admin/list.ts")).listCommand(),
  show: async () => (await import("./admin/show.ts")).showCommand(),
  remove: async () => (await import("./admin/remove.ts")).removeCommand(),
  refresh: async () => (await import("./admin/refresh.ts")).refreshCommand(),
  keep: async () => (await import("./admin/keep.ts")).keepCommand(),
  unkeep: async () => (await import("./admin/keep.ts")).unkeepCommand(),
  evict: async () => (await import("./admin/evict.ts")).evictCommand(),
  rules: async () => (await import("./admin/rules.ts")).rulesCommand(),
  allow: async () => (await import("./admin/rules.ts")).allowCommand(),
  deny: async () => (await import("./admin/rules.ts")).denyCommand(),
  "held-back": async () => (await import("./admin/held-back.ts")).heldBackCommand(),
  approve: async () => (await import("./admin/held-back.ts")).approveCommand(),
  traffic: async () => (await import("./admin/traffic.ts")).trafficCommand(),
  pulls: async () => (await import("./admin/pulls.ts")).pullsCommand(),
  events: async () => (await import("./admin/events.ts")).eventsCommand(),
  fleet: async () => (await import("./admin/fleet.ts")).fleetCommand(),
  top: async () => (await import("./admin/top.ts")).topCommand(),
  reload: async () => (await import("./admin/reload.ts")).reloadCommand(),
  offline: async () => (await import("./admin/offline.ts")).offlineCommand(),
  bandwidth: async () => (await import("./admin/bandwidth.ts")).bandwidthCommand(),
  verify: async () => (await import("./verify.ts")).verifyCommand(),
  warm: async () => (await import("./admin/warm.ts")).warmCommand(),
  jobs: async () => (await import("./admin/jobs.ts")).jobsCommand(),
  setup: async () => (await import("./setup/setup.ts")).setupCommand(),
  doctor: async () => (await import("./doctor/doctor.ts")).doctorCommand(),
  ca: caGroup,
  bundle: bundleGroup,
  import: async () => (await import("./admin/import.ts")).importCommand(),
  image: imageGroup,
  model: modelGroup,
  artifact: artifactGroup,
  blob: blobGroup,
  reference: referenceGroup,
  completion: async () => (await import("./completion.ts")).completionCommand(),
};

/** This one is about all of them. */
const COMPLETION = "completion";

/** All of them. */
export function commands(): Promise<Command[]> {
  return Promise.all(Object.values(COMMANDS).map((make) => make()));
}

/** Asks for the program's version, and for no command. */
const VERSION = ["-V", "--version"];

/** Those that a command line needs whose first word is `word`: one, or all of them where none is called so. */
export async function commandsFor(word: string | undefined): Promise<Command[]> {
  if (word !== undefined && VERSION.includes(word)) return [];
  const isOne = word !== undefined && word !== COMPLETION && Object.hasOwn(COMMANDS, word);
  const make = isOne ? COMMANDS[word] : undefined;
  return make === undefined ? await commands() : [await make()];
}

async function caGroup(): Promise<Command> {
  const [{ caShowCommand }, { caInstallCommand }, { caRotateCommand }] = await Promise.all([
    import("./ca/show.ts"),
    import("./ca/install.ts"),
    import("./ca/rotate.ts"),
  ]);
  const text = "The certificate authority of the proxy: what its clients must trust.";
  const verbs = [caShowCommand(), caInstallCommand(), caRotateCommand()];
  return verbGroup("ca", text, verbs, "granary ca show");
}

async function bundleGroup(): Promise<Command> {
  const [{ bundleExportCommand }, { bundleImportCommand }] = await Promise.all([
    import("./admin/bundle-export.ts"),
    import("./admin/import.ts"),
  ]);
  const text = "Bundles: carry chosen images and models to a place without a line.";
  const example = "granary bundle export images.tar alpine:3.22 ollama:llama3.2";
  return verbGroup("bundle", text, [bundleExportCommand(), bundleImportCommand()], example);
}

async function imageGroup(): Promise<Command> {
  const [size, digest, inspect, extract, create] = await Promise.all([
    import("./image/size.ts"),
    import("./image/digest.ts"),
    import("./image/inspect.ts"),
    import("./image/extract.ts"),
    import("./image/create.ts"),
  ]);
  const verbs = [
    size.imageSizeCommand(),
    digest.imageDigestCommand(),
    inspect.imageInspectCommand(),
    extract.imageExtractCommand(),
    create.imageCreateCommand(),
  ];
  const text = "Images of containers: measure, inspect, unpack and make them.";
  return verbGroup("image", text, verbs, "granary image extract alpine rootfs");
}

async function modelGroup(): Promise<Command> {
  const [manifest, digest, inspect, fetch] = await Promise.all([
    import("./model/manifest.ts"),
    import("./model/digest.ts"),
    import("./model/inspect.ts"),
    import("./model/fetch.ts"),
  ]);
  const verbs = [
    manifest.modelManifestCommand(),
    digest.modelDigestCommand(),
    inspect.modelInspectCommand(),
    fetch.modelFetchCommand(),
  ];
  const example = "granary model fetch gemma:2b gemma.gguf";
  return verbGroup("model", "Models of Ollama registries: inspect and fetch them.", verbs, example);
}

async function artifactGroup(): Promise<Command> {
  const verbs = [(await import("./artifact/pull.ts")).artifactPullCommand()];
  const example = "granary artifact pull ghcr.io/org/model:1.0 model";
  return verbGroup("artifact", "Artifacts in registries (ORAS, ModelPack).", verbs, example);
}

async function blobGroup(): Promise<Command> {
  const verbs = [(await import("./blob/fetch.ts")).blobFetchCommand()];
  const example = "granary blob fetch docker.io/library/alpine sha256:<64 hex> layer.tar.gz";
  return verbGroup("blob", "Single blobs by their digest.", verbs, example);
}

async function referenceGroup(): Promise<Command> {
  const verbs = [(await import("./reference/parse.ts")).referenceParseCommand()];
  return verbGroup("reference", "Names of images and models.", verbs, "granary reference parse alpine");
}
