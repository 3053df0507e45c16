/** Shows that podman pulls through Granary, cold, warm, offline and eight at once, at the upstream's cost of one. */
import { podman } from "./support/podman-client.ts";
import { describePulls } from "./support/pull-scenario.ts";

describePulls(podman);
