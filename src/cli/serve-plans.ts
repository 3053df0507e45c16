/**
 * Owns what `granary serve --check` says of the settings that act by themselves: what may pass, what is kept, and what would be done when.
 * Pure: nothing is asked or opened.
 */
import { formatDuration } from "../bytes/units.ts";
import type { ClientSettings, Settings } from "../config/settings.ts";
import { formatPlatform } from "../oci/platform.ts";
import { parseSchedule } from "../schedule/schedule.ts";
import { timeText } from "../schedule/time-text.ts";

/** For scripts: patterns in their canonical spelling, durations in milliseconds, times as epoch ms. */
export type ServePlans = {
  readonly passage: readonly {
    readonly upstream: string;
    readonly allow: readonly string[];
    readonly deny: readonly string[];
    readonly cooldownMs: number;
  }[];
  readonly keep: readonly string[];
  readonly schedules: readonly {
    readonly what: string;
    readonly schedule: string;
    readonly nextAt: number | undefined;
  }[];
  readonly prefetch: readonly string[];
  readonly clients: ClientSettings | null;
};

export function plansOf(settings: Settings, now: number): ServePlans {
  const { upstreams, keep = [], warm = [], verify, prefetch, clients } = settings;
  const passage = upstreams.flatMap(({ name, passage: { allow, deny, cooldownMs } = OPEN }) =>
    allow.length + deny.length + cooldownMs === 0
      ? []
      : [{ upstream: name, allow: allow.map(textOf), deny: deny.map(textOf), cooldownMs }],
  );
  const timed = [
    ...warm.flatMap(({ name, schedule }) =>
      schedule === undefined ? [] : [{ what: `warm ${name}`, schedule }],
    ),
    ...(verify === undefined ? [] : [{ what: "verify", schedule: verify }]),
  ];
  return {
    passage,
    keep: keep.map(textOf),
    schedules: timed.map((each) => ({ ...each, nextAt: parseSchedule(each.schedule, now).next(now) })),
    prefetch: prefetch?.platforms.map(formatPlatform) ?? [],
    clients: clients ?? null,
  };
}

/** One sentence for each; none for what is not set. */
export function planLines({ passage, keep, schedules, prefetch, clients }: ServePlans): readonly string[] {
  return [
    ...passage.flatMap(passageLines),
    ...(keep.length === 0 ? [] : [`It would never evict: ${keep.join(", ")}.`]),
    ...schedules.map(({ what, schedule, nextAt }) => {
      const next = nextAt === undefined ? "never again" : timeText(nextAt);
      return `It would ${what} at "${schedule}", next ${next}.`;
    }),
    ...(prefetch.length === 0 ? [] : [`It would fetch ahead for: ${prefetch.join(", ")}.`]),
    ...(clients === null
      ? []
      : [
          `Clients could have ${clients.maxConnections} connections, ${clients.maxConnectionsPerAddress} from one address.`,
        ]),
  ];
}

const OPEN = { allow: [], deny: [], cooldownMs: 0 };

function passageLines({
  upstream,
  allow,
  deny,
  cooldownMs,
}: ServePlans["passage"][number]): readonly string[] {
  return [
    ...(allow.length === 0 ? [] : [`Of ${upstream} nothing would pass but: ${allow.join(", ")}.`]),
    ...(deny.length === 0 ? [] : [`Of ${upstream} these would not pass: ${deny.join(", ")}.`]),
    ...(cooldownMs === 0 ? [] : [`What is new from ${upstream} would wait ${formatDuration(cooldownMs)}.`]),
  ];
}

function textOf({ text }: { readonly text: string }): string {
  return text;
}
