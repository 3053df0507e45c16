/** Shows that buildah pulls through Granary, cold, warm, offline and eight at once, at the upstream's cost of one. */
import { buildah } from "./support/buildah-client.ts";
import { describePulls } from "./support/pull-scenario.ts";

describePulls(buildah);
