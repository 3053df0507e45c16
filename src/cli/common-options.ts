/**
 * Owns the arguments and options that several verbs share: declared once, in one order, and turned into what the library takes. A verb's
 * help shows those that it uses; the others are taken all the same, because scripts give them to every verb.
 */
import { type Command, Option } from "commander";
import type { LibraryOptions } from "../library/library-options.ts";
import { type LoginFlags, readLogin } from "./login-options.ts";

/** What names an image. */
export const IMAGE_ARGUMENT = [
  "<reference>",
  "alpine, ghcr.io/org/app:1.2, name@sha256:..., ocifile:PATH[#NAME] or docker-daemon:NAME",
] as const;

/** What names a model. */
export const MODEL_ARGUMENT = [
  "<name>",
  "gemma:2b, user/model, hf.co/org/model:Q4_K_M or host:port/namespace/model:tag",
] as const;

export type CommonFlags = LoginFlags & {
  readonly platform?: string;
  readonly via?: string;
  readonly insecure?: boolean;
  readonly config?: string;
  readonly caFile?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
};

/** What a verb has to do with: one platform of several, a registry, and work that takes a while or ends with a sentence. */
export type Use = "platform" | "registry" | "quiet";

type Shared = { readonly use: Use | "always"; readonly flags: string; readonly help: string };

/** A password has no option of its own: what stands on a command line is seen by everybody on the machine. */
const OPTIONS: readonly Shared[] = [
  {
    use: "platform",
    flags: "--platform <os/arch[/variant]>",
    help: "of the image, where there are several (default: linux on this architecture)",
  },
  {
    use: "registry",
    flags: "--via <url>",
    help: "a Granary, or any registry, to ask in place of the registry that the name implies",
  },
  { use: "registry", flags: "--insecure", help: "plain HTTP to the registry that the name implies" },
  {
    use: "registry",
    flags: "--ca-file <file>",
    help: "a PEM file with the certificate authority of a registry (or proxy) that is not publicly known",
  },
  {
    use: "registry",
    flags: "--username <name>",
    help: "who logs in; the password comes with --password-stdin",
  },
  {
    use: "registry",
    flags: "--password-stdin",
    help: "read the password, one line, from standard input",
  },
  {
    use: "registry",
    flags: "-c, --config <file>",
    help: "a configuration of Granary: its upstreams and their credentials hold here too",
  },
  { use: "always", flags: "--json", help: "print one JSON value on standard output" },
  { use: "quiet", flags: "-q, --quiet", help: "no progress and no closing sentence on standard error" },
];

export function withCommonOptions(command: Command, uses: readonly Use[]): Command {
  command.optionsGroup("Common options:");
  for (const { use, flags, help } of OPTIONS) {
    command.addOption(new Option(flags, help).hideHelp(use !== "always" && !uses.includes(use)));
  }
  return command;
}

/** Options that were given to a verb which they change nothing of; being quiet is no request for anything. */
export function uselessOptions(command: Command): readonly string[] {
  return command.options
    .filter(({ hidden }) => hidden)
    .filter((option) => command.getOptionValueSource(option.attributeName()) === "cli")
    .flatMap(({ long }) => (long === undefined || long === "--quiet" ? [] : [long]));
}

/** Throws `config-invalid` for a user name without a password, and the other way round. */
export async function libraryOptionsOf(flags: CommonFlags): Promise<LibraryOptions> {
  const { platform, via, insecure, config, caFile } = flags;
  const credentials = await readLogin(flags);
  return {
    ...(platform !== undefined && { platform }),
    ...(via !== undefined && { via }),
    ...(insecure !== undefined && { insecure }),
    ...(config !== undefined && { config }),
    ...(caFile !== undefined && { caFile }),
    ...(credentials !== undefined && { credentials }),
  };
}
