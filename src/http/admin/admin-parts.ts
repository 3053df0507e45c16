/**
 * Owns AdminParts: the ports that the admin face speaks to, one field for each area. An area adds its field here, its routes in `routes/`
 * and the port itself in `cli/admin/parts-of.ts`; nothing else knows all of them.
 */

import type { FleetRecords } from "../../fleet/records/fleet-records.ts";
import type { FleetView } from "../../fleet/view/fleet-view.ts";
import type { AttendedJobs } from "../../jobs/attended-jobs.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { Bundles } from "../../mirror/bundles/bundles.ts";
import type { Contents } from "../../mirror/contents/contents.ts";
import type { Imports } from "../../mirror/imports/imports.ts";
import type { Mirror } from "../../mirror/mirror.ts";
import type { LineLimits } from "../../mirror/rules/line-limits.ts";
import type { Offline } from "../../mirror/rules/offline.ts";
import type { PassageDesk } from "../../mirror/rules/passage-desk.ts";
import type { Clock } from "../../observe/clock.ts";
import type { Log } from "../../observe/log.ts";
import type { Records } from "../../records/records.ts";
import type { ReloadReport } from "../../reloading/reload-part.ts";
import type { ClientBlocks } from "../../setup/client-blocks.ts";
import type { ClientKind } from "../../setup/client-kinds.ts";
import type { OfferedListener } from "../../setup/offered-listener.ts";
import type { WarmUps } from "../../warm/warm-ups.ts";

/** One thing that was looked at. */
type Examined = {
  readonly area: string;
  readonly level: "good" | "note" | "wrong";
  readonly text: string;
  readonly todo?: string;
};

export type AdminParts = {
  readonly contents: Contents;
  readonly mirror: Pick<Mirror, "status">;
  readonly passage: Pick<PassageDesk, "rules" | "cooldowns" | "change" | "heldBack" | "approve">;
  readonly records: Records;
  readonly settings: {
    /** See Reloads; throws `config-invalid` where no server runs. */
    reload(isTrial: boolean): Promise<ReloadReport>;
    /** What the settings say, without secrets; keys in `needRestart` are without effect until then. */
    shown(): { readonly settings: object; readonly needRestart: readonly string[] };
  };
  readonly jobs: Pick<Jobs, "list" | "get" | "start" | "stop">;
  readonly warmUps: Pick<WarmUps, "list" | "askOf" | "preview" | "upstreams">;
  readonly imports: Imports;
  readonly bundles: Bundles;
  /** Imports as jobs, and exports. */
  readonly importing: AttendedJobs;
  readonly exporting: AttendedJobs;
  readonly bandwidth: Pick<LineLimits, "status" | "set" | "takeBack">;
  readonly offline: Pick<Offline, "list" | "set">;
  /** How clients are pointed here. */
  readonly setup: {
    listeners(): readonly OfferedListener[];
    /** Throws `config-invalid` for an address that cannot be meant, or a client that cannot use such a listener. */
    blocks(
      client: ClientKind,
      ask: { readonly address?: string | undefined; readonly registries?: readonly string[] | undefined },
    ): Promise<ClientBlocks>;
  };
  /** Set on a node of a fleet. */
  readonly fleet?: FleetView | undefined;
  readonly fleetRecords?: FleetRecords | undefined;
  /** The certificate of the proxy's authority, PEM; gives nothing while there is no proxy. */
  readonly authority?: (() => { readonly certificate: string } | undefined) | undefined;
  readonly doctor: { examine(): Promise<readonly Examined[]> };
  readonly log: Log;
  readonly clock: Clock;
  /** When this process began to serve; epoch ms. */
  readonly startedAt: number;
};
