/** Warm manifests per second, by tag (what a pull asks first) and by digest, over 32 kept connections. */
import type { Measurement } from "../bench.ts";
import { granary } from "../peers/granary.ts";
import { nginx } from "../peers/nginx.ts";
import { registry } from "../peers/registry.ts";
import { registryProxy } from "../peers/registry-proxy.ts";
import { takeTurns } from "../rounds.ts";
import { atLeast, atLeastTimes, type Row } from "../row.ts";
import { withWarm } from "./with-warm.ts";

const CONNECTIONS = 32;

export const warmManifest: Measurement = {
  name: "warm-manifest",
  measure: (bench) => {
    const { manifest, manifestByTag } = bench.material;
    const asked = { "by tag": manifestByTag, "by digest": manifest.path };
    const contents = [{ ...manifest, path: manifestByTag }, manifest];
    return withWarm(
      bench,
      [granary(bench.granaryLauncher), nginx, registry, registryProxy],
      contents,
      async (warm) => {
        const rows: Row[] = [];
        for (const [kind, path] of Object.entries(asked)) {
          const label = `warm manifest ${kind}`;
          const { rate: values = {} } = await takeTurns(bench, label, warm, async ({ started }) => {
            const load = { port: started.port, path, connections: CONNECTIONS, seconds: bench.runSeconds };
            const report = await bench.runLoad(load);
            return { rate: report.requests / report.seconds };
          });
          const checks = [atLeast(values.granary, 20_000, "requests/s"), atLeastTimes(values, "proxy", 50)];
          rows.push({ name: label, unit: "requests/s", values, checks });
        }
        return rows;
      },
    );
  },
};
