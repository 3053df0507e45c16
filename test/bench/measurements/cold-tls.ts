/** A cold blob from an upstream that speaks TLS, as all do outside of a lab: bytes per second to one client. */
import type { Measurement } from "../bench.ts";
import { caches } from "../peers/all.ts";
import { takeTurns } from "../rounds.ts";
import { startTlsUpstream } from "../support/tls-upstream.ts";
import { cachesAmong, coldChecks, curls, nameOf } from "./cold-entrants.ts";

export const coldTls: Measurement = {
  name: "cold-tls",
  measure: async (bench) => {
    const upstream = await startTlsUpstream(bench.material, bench.directory);
    if (!upstream) {
      bench.note("skipping cold-tls: it needs nginx and openssl.");
      return [];
    }
    try {
      const { big } = bench.material;
      const name = nameOf("cold blob over TLS", big, 1);
      const entrants = [
        ...cachesAmong(bench, caches(bench), upstream, big, 1),
        ...curls(bench, upstream, big),
      ];
      const { speed: values = {}, processor = {} } = await takeTurns(bench, name, entrants, ({ run }) =>
        run(async () => ({})),
      );
      return [{ name, unit: "GB/s", values, processor, checks: coldChecks(values, processor) }];
    } finally {
      await upstream.stop();
    }
  },
};
