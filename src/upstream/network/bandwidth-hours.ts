/**
 * Owns how limits of bandwidth change with the hour of the day: which of the settings hold at a moment. Hours are those of the wall clock where
 * the process runs, also on the two days of the year when that is put forward or back. Pure.
 */
import type { Limits } from "./bandwidth.ts";

/** Bytes per second; infinite for "unlimited". What is not named does not change. */
export type NamedLimits = {
  readonly total?: number | undefined;
  readonly upstreams?: Readonly<Record<string, number>> | undefined;
};

export type BandwidthSettings = NamedLimits & {
  /** The first that holds counts. Minutes since midnight; where `to` is not after `from` it is that of the next day. */
  readonly hours?: readonly (NamedLimits & { readonly from: number; readonly to: number })[] | undefined;
};

/** The limits at `date`. */
export function limitsAt(settings: BandwidthSettings, date: Date): Limits {
  const minute = date.getHours() * 60 + date.getMinutes();
  const now = settings.hours?.find(({ from, to }) =>
    from < to ? minute >= from && minute < to : minute >= from || minute < to,
  );
  return {
    total: now?.total ?? settings.total,
    upstreams: new Map(Object.entries({ ...settings.upstreams, ...now?.upstreams })),
  };
}
