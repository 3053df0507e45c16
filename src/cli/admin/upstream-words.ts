/** Owns how commands say how an upstream is: how fast it answers, what fails, and how many pulls are left until when. Pure. */
import { formatDuration } from "../../bytes/units.ts";
import type { Status } from "../../http/admin/routes/status-routes.ts";

type Upstream = Status["upstreams"][number];

/** "76 of 100 pulls left, all of them back in 5h at the latest"; undefined where the upstream says nothing of it. */
export function budgetWords({ rateLimit }: Pick<Upstream, "rateLimit">, now: number): string | undefined {
  if (rateLimit === undefined) return undefined;
  const { limit, remaining, resetAt, isStated } = rateLimit;
  const left = limit === undefined ? "limited" : `${remaining ?? 0} of ${limit} pulls left`;
  if (resetAt === undefined || resetAt <= now) return limit === undefined ? undefined : left;
  const back = formatDuration(resetAt - now);
  return isStated === true
    ? `${left}, more in ${back}`
    : `${left}, all of them back in ${back} at the latest`;
}

/** "docker.io 82ms"; undefined where it was not asked lately. */
export function latencyWords({ name, latencyMs }: Pick<Upstream, "name" | "latencyMs">): string | undefined {
  return latencyMs === undefined ? undefined : `${name} ${formatDuration(latencyMs)}`;
}

/** "3 of 20 requests failed in the last 10m"; undefined where none did. */
export function failureWords({
  requests = 0,
  failed = 0,
}: Pick<Upstream, "requests" | "failed">): string | undefined {
  return failed === 0 ? undefined : `${failed} of ${requests} requests failed in the last 10m`;
}
