/**
 * Owns what `granary serve --check` says of the fleet that the settings name. It must never show a login: of the database's address the hosts alone.
 * Pure: nothing is asked or opened.
 */
import type { Settings } from "../config/settings.ts";

export type FleetPlan = {
  readonly node: string;
  readonly zone: string | null;
  /** Hosts of the database, with their ports where the address has them. */
  readonly database: string;
  readonly bucket: {
    readonly name: string;
    readonly prefix: string;
    /** null: Amazon's own. */
    readonly endpoint: string | null;
  };
  readonly internal: { readonly port: number; readonly host: string | null };
};

export function fleetPlan({ fleet }: Settings): FleetPlan | null {
  if (fleet === undefined) return null;
  const { node, zone = null, database, bucket, internal } = fleet;
  const { name, prefix, endpoint } = bucket;
  return {
    ...{ node, zone, database: hostsOf(database) },
    bucket: { name, prefix, endpoint: endpoint === undefined ? null : hostOf(endpoint) },
    internal: { port: internal.port, host: internal.host ?? null },
  };
}

export function fleetLine({ node, zone, database, bucket, internal }: FleetPlan): string {
  const where = zone === null ? "" : ` in the zone ${zone}`;
  const { name, prefix, endpoint } = bucket;
  const keys = prefix === "" ? "" : ` below ${prefix}`;
  return `It would be node ${node} of a fleet${where}: database ${database}, bucket ${name}${keys} at ${endpoint ?? "Amazon S3"}, other nodes on port ${internal.port}.`;
}

/** Several hosts are no URL. Where an "@" stands that could belong to a login, nothing is shown. */
function hostsOf(address: string): string {
  const hosts = /^[^:/@]+:\/\/(?:[^@/?#]*@)?([\w.,:[\]-]+)(?:[/?#][^@]*)?$/.exec(address)?.[1];
  return hosts ?? "at an address that is not shown";
}

function hostOf(endpoint: string): string {
  return new URL(endpoint).host;
}
