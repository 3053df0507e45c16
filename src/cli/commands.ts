/** Owns which commands there are, and how they stand together. */
import type { Command } from "commander";
import { bandwidthCommand } from "./admin/bandwidth.ts";
import { bundleExportCommand } from "./admin/bundle-export.ts";
import { eventsCommand } from "./admin/events.ts";
import { evictCommand } from "./admin/evict.ts";
import { approveCommand, heldBackCommand } from "./admin/held-back.ts";
import { bundleImportCommand, importCommand } from "./admin/import.ts";
import { jobsCommand } from "./admin/jobs.ts";
import { keepCommand, unkeepCommand } from "./admin/keep.ts";
import { listCommand } from "./admin/list.ts";
import { offlineCommand } from "./admin/offline.ts";
import { pullsCommand } from "./admin/pulls.ts";
import { refreshCommand } from "./admin/refresh.ts";
import { reloadCommand } from "./admin/reload.ts";
import { removeCommand } from "./admin/remove.ts";
import { allowCommand, denyCommand, rulesCommand } from "./admin/rules.ts";
import { showCommand } from "./admin/show.ts";
import { statusCommand } from "./admin/status.ts";
import { topCommand } from "./admin/top.ts";
import { trafficCommand } from "./admin/traffic.ts";
import { warmCommand } from "./admin/warm.ts";
import { artifactPullCommand } from "./artifact/pull.ts";
import { blobFetchCommand } from "./blob/fetch.ts";
import { completionCommand } from "./completion.ts";
import { doctorCommand } from "./doctor/doctor.ts";
import { healthCommand } from "./health.ts";
import { verbGroup } from "./help.ts";
import { imageCreateCommand } from "./image/create.ts";
import { imageDigestCommand } from "./image/digest.ts";
import { imageExtractCommand } from "./image/extract.ts";
import { imageInspectCommand } from "./image/inspect.ts";
import { imageSizeCommand } from "./image/size.ts";
import { modelDigestCommand } from "./model/digest.ts";
import { modelFetchCommand } from "./model/fetch.ts";
import { modelInspectCommand } from "./model/inspect.ts";
import { modelManifestCommand } from "./model/manifest.ts";
import { referenceParseCommand } from "./reference/parse.ts";
import { serveCommand } from "./serve.ts";
import { setupCommand } from "./setup/setup.ts";
import { verifyCommand } from "./verify.ts";

/** New ones at each call: a Command holds what was parsed. */
export function commands(): Command[] {
  return [
    serveCommand(),
    healthCommand(),
    statusCommand(),
    listCommand(),
    showCommand(),
    removeCommand(),
    refreshCommand(),
    keepCommand(),
    unkeepCommand(),
    evictCommand(),
    rulesCommand(),
    allowCommand(),
    denyCommand(),
    heldBackCommand(),
    approveCommand(),
    trafficCommand(),
    pullsCommand(),
    eventsCommand(),
    topCommand(),
    reloadCommand(),
    offlineCommand(),
    bandwidthCommand(),
    verifyCommand(),
    warmCommand(),
    jobsCommand(),
    setupCommand(),
    doctorCommand(),
    bundleGroup(),
    importCommand(),
    imageGroup(),
    modelGroup(),
    artifactGroup(),
    blobGroup(),
    referenceGroup(),
    completionCommand(),
  ];
}

function bundleGroup(): Command {
  const verbs = [bundleExportCommand(), bundleImportCommand()];
  const example = "granary bundle export images.tar alpine:3.22 ollama:llama3.2";
  return verbGroup(
    "bundle",
    "Bundles: carry chosen images and models to a place without a line.",
    verbs,
    example,
  );
}

function imageGroup(): Command {
  const verbs = [
    imageSizeCommand(),
    imageDigestCommand(),
    imageInspectCommand(),
    imageExtractCommand(),
    imageCreateCommand(),
  ];
  return verbGroup(
    "image",
    "Images of containers: measure, inspect, unpack and make them.",
    verbs,
    "granary image extract alpine rootfs",
  );
}

function modelGroup(): Command {
  const verbs = [modelManifestCommand(), modelDigestCommand(), modelInspectCommand(), modelFetchCommand()];
  const example = "granary model fetch gemma:2b gemma.gguf";
  return verbGroup("model", "Models of Ollama registries: inspect and fetch them.", verbs, example);
}

function artifactGroup(): Command {
  const example = "granary artifact pull ghcr.io/org/model:1.0 model";
  return verbGroup(
    "artifact",
    "Artifacts in registries (ORAS, ModelPack).",
    [artifactPullCommand()],
    example,
  );
}

function blobGroup(): Command {
  const example = "granary blob fetch docker.io/library/alpine sha256:<64 hex> layer.tar.gz";
  return verbGroup("blob", "Single blobs by their digest.", [blobFetchCommand()], example);
}

function referenceGroup(): Command {
  const verbs = [referenceParseCommand()];
  return verbGroup("reference", "Names of images and models.", verbs, "granary reference parse alpine");
}
