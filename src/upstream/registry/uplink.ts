/** Owns the parts that the questions to one upstream are asked with, as one value. Made by client.ts only. */
import type { Clock } from "../../observe/clock.ts";
import type { Metrics } from "../../observe/metrics.ts";
import type { Authorizer } from "../identity/authorizer.ts";
import type { Caller } from "../network/caller.ts";
import type { Endpoints } from "../network/endpoints.ts";
import type { Transport } from "../network/transport.ts";
import type { Upstream } from "../policy.ts";

export type Uplink = {
  readonly upstream: Upstream;
  readonly transport: Transport;
  readonly authorizer: Authorizer;
  readonly endpoints: Endpoints;
  readonly caller: Caller;
  /** A client certificate is shown to the registry, which may let in nobody else. */
  readonly hasCertificate: boolean;
  readonly clock: Clock;
  readonly metrics: Metrics;
};
