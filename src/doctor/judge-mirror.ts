/**
 * Owns what is said of one mirror in a client's configuration: clients go past a mirror that fails them without a word, so every way to
 * fail is looked for (docs/protocol.md#what-each-status-does).
 */
import type { Observation, Says } from "./observation.ts";
import { type ProbeOptions, probeListener } from "./probe-listener.ts";

export type JudgedMirror = {
  /** Scheme, host and port as the client asks it. */
  readonly origin: string;
  readonly ca?: ProbeOptions["ca"];
  /** What the client does about a login: it cannot have one, it has one, or nobody can tell. */
  readonly login: "impossible" | "configured" | "unknown";
  /** Which registry it stands for: "docker.io". */
  readonly registry: string;
};

/** `isUsed`: a Granary that this client can use answers there. */
export type MirrorJudgement = { readonly isUsed: boolean; readonly findings: readonly Observation[] };

export async function judgeMirror(
  { good, note, wrong }: Says,
  mirror: JudgedMirror,
): Promise<MirrorJudgement> {
  const { origin, registry, login, ca } = mirror;
  const past = `the client goes past it to ${registry} without a word`;
  const probed = await probeListener(origin, { ca });
  switch (probed.is) {
    case "closed":
      return failed(
        wrong(
          `The mirror ${origin} is closed: ${probed.why}; ${past}.`,
          `Start the Granary there, open the port in its firewall, or take this mirror out.`,
        ),
      );
    case "untrusted":
      return failed(wrong(`The mirror ${origin} cannot be used: ${probed.why}; ${past}.`, remedyOf(origin)));
    case "stranger":
      return failed(note(`The mirror ${origin} is no Granary: ${probed.why}.`));
    case "granary":
      break;
  }
  if (!probed.wantsLogin || login === "configured")
    return { isUsed: true, findings: [good(`Granary answers at the mirror ${origin} for ${registry}.`)] };
  if (login === "impossible")
    return failed(
      wrong(
        `The mirror ${origin} asks for a login, and this client has none to give to a mirror; ${past}.`,
        "Name a listener of Granary without a login.",
      ),
    );
  return { isUsed: true, findings: [note(`The mirror ${origin} asks for a login: without one ${past}.`)] };
}

function failed(finding: Observation): MirrorJudgement {
  return { isUsed: false, findings: [finding] };
}

function remedyOf(origin: string): string {
  return origin.startsWith("https:")
    ? "If Granary speaks plain http there, write http:// (Podman: insecure = true); else give the client its authority: granary setup with --ca-file does both."
    : "If Granary speaks https there, write https://, and give the client its authority: granary setup with --ca-file does both.";
}
