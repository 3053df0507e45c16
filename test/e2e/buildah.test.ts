/** Shows that buildah pulls through Granary on a fast and a slow line, cold, warm, offline and many at once, at the upstream's cost of one. */
import { buildah } from "./support/buildah-client.ts";
import { describePulls } from "./support/pull-scenario.ts";

describePulls(buildah);
