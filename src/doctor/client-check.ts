/** Owns what the check of one client's configuration is, whatever the client. */
import type { Environment } from "../environment.ts";
import type { ClientKind } from "../setup/client-kinds.ts";
import type { Observation } from "./observation.ts";

export type ClientContext = {
  /** The client's file; its usual one where nobody named another. */
  readonly file: string;
  readonly env: Environment;
};

export type CheckedClient = {
  readonly findings: readonly Observation[];
  /** Granary is the first that the client asks for Docker Hub, as far as its files say. */
  readonly isPointedHere: boolean;
};

export type ClientCheck = {
  /** Programs of which one must be installed; none: the file alone tells that the client is here. */
  readonly programs: readonly string[];
  check(context: ClientContext): Promise<CheckedClient>;
  /**
   * Pulls `image` (a name with its registry and tag) by the client and takes it out again where it was not there before. Undefined: this
   * client is not asked to.
   */
  readonly pull?: (image: string, context: ClientContext) => Promise<Pulled>;
};

/** `why` is what the client said, where it failed. */
export type Pulled = { readonly isDone: boolean; readonly why: string };

export function setupAdvice(client: ClientKind): string {
  return `granary setup ${client} prints the right file, and writes it with --write.`;
}
