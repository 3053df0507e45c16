/**
 * The layering, as rules: imports (type imports too) point strictly downward, rooms of one rank never import each other, and each
 * third-party package has one home. docs/architecture.md says what each room is for.
 */

/** From the bottom up: each rank may import those before it. A room is a folder, or one file of a folder. */
const RANKS = [
  ["errors.ts", "version.ts", "environment.ts"],
  ["bytes", "purpose.ts"],
  ["oci", "observe"],
  ["ollama", "waiting", "files", "schedule"],
  ["bundle"],
  ["origin.ts", "setup"],
  ["source.ts"],
  ["upstream/policy.ts", "upstream/registry-url.ts", "store", "metadata", "credentials", "reloading"],
  ["fleet/fleet.ts", "fleet/bucket.ts", "fleet/journal.ts", "fleet/object-key.ts", "authority"],
  ["fleet/turns.ts", "fleet/view"],
  ["fleet/leases", "fleet/upkeep"],
  ["records", "fleet/postgres", "fleet/s3", "fleet/peers", "fleet/knowledge"],
  ["fleet/known-by-all.ts", "fleet/records"],
  ["jobs"],
  ["upstream/network"],
  ["upstream/identity"],
  ["upstream/upstream-client.ts"],
  ["upstream/registry"],
  ["upstream/client.ts", "fill", "routing"],
  ["fleet/transfers"],
  ["mirror/absence", "mirror/space", "mirror/rules", "mirror/current-upstreams.ts", "contradictions.ts"],
  ["mirror/upkeep"],
  ["mirror/mirror.ts"],
  ["mirror/access"],
  ["mirror/blobs", "mirror/manifests", "mirror/imports", "mirror/bundles"],
  ["mirror/tags"],
  ["mirror/manifests.ts"],
  ["mirror/lists"],
  ["mirror/contents"],
  [
    "mirror/mirror-source.ts",
    "mirror/answering.ts",
    "mirror/carrying.ts",
    "mirror/relaying.ts",
    "mirror/asking-anew.ts",
  ],
  ["mirror/mirror-parts.ts"],
  ["mirror/start-mirror.ts"],
  ["warm"],
  ["verifying", "removing"],
  ["config", "client/fetching", "http/request-log.ts", "http/client-network.ts"],
  ["client/archives", "http/answers"],
  ["client/images", "http/registry", "http/admin", "http/internal"],
  ["client/models", "client/artifacts", "client/extraction", "http/request-listener.ts", "page"],
  ["client/imports"],
  ["http/connections"],
  ["http/proxy"],
  [
    "http/serve.ts",
    "http/serve-socket.ts",
    "http/serve-admin.ts",
    "opened-upstreams.ts",
    "opened-tasks.ts",
    "opened-proxy.ts",
  ],
  ["opened-fleet.ts"],
  ["open.ts", "other-directory.ts"],
  ["library", "doctor"],
  ["cli", "index.ts"],
];

/** Whole folders that never know each other, wherever their parts stand above. */
const STRANGERS = [
  ["client", ["mirror", "routing", "upstream", "http", "config", "metadata"]],
  ["http", ["client", "config", "metadata", "fill"]],
  ["config", ["client", "http", "mirror", "fill"]],
  ["fill", ["upstream", "metadata"]],
];

const pathOf = (name) => (name.endsWith(".ts") ? `^src/${name.replace(".", "\\.")}$` : `^src/${name}/`);

const upward = RANKS.flatMap((rooms, rank) =>
  rooms.map((room) => ({
    name: `downward-only: ${room}`,
    comment: adviceFor(room, rank),
    severity: "error",
    from: { path: pathOf(room) },
    to: {
      path: RANKS.slice(rank)
        .flat()
        .filter((other) => other !== room)
        .map(pathOf),
    },
  })),
);

/** What the message of the check says: where the thing that is imported should be, so that the import points down. */
function adviceFor(room, rank) {
  const below = RANKS.slice(0, rank).flat().slice(-8).join(", ") || "nothing";
  return (
    `src/${room} may import only what stands below it (nearest: ${below}). If both sides need one thing, move that thing to the ` +
    "lowest of the rooms that it is about: values and grammars to bytes/, oci/ or ollama/, waiting to waiting/, files to files/, a port " +
    "to origin.ts, source.ts or the room that it is a port of. If only this side needs it, move it here."
  );
}

/** A file that stands in no room would be checked by nobody. */
const roomless = {
  name: "every-file-in-a-room",
  comment:
    "Give the new folder or file its rank in RANKS of .dependency-cruiser.cjs, and its sentence in docs/architecture.md.",
  severity: "error",
  from: { path: "^src/", pathNot: RANKS.flat().map(pathOf) },
  to: {},
};

/** What runs in a browser has nothing of the server's but the types of its answers, which are in comments. */
const pageAlone = {
  name: "page-alone",
  comment:
    "Files of src/page run in a browser: they import each other and the packages of the page's import map.",
  severity: "error",
  from: { path: "^src/page/" },
  to: { pathNot: "^src/page/|node_modules/(preact|htm|@preact/signals|uplot)/" },
};

const apart = STRANGERS.map(([folder, others]) => ({
  name: `apart: ${folder}`,
  comment: `src/${folder} does not know ${others.join(", ")}: it takes what it needs as a port or a value from whoever calls it.`,
  severity: "error",
  from: { path: pathOf(folder) },
  to: { path: others.map((other) => `^src/${other}/`) },
}));

/** [what, the only places that may import it] */
const HOMES = [
  ["hono", "node_modules/(hono|@hono/node-server|@hono/zod-openapi)/", "^src/http/admin/"],
  ["undici", "node_modules/undici/", "^src/(upstream|fleet/(peers|s3))/"],
  ["postgres", "node_modules/postgres/", "^src/fleet/postgres/connection\\.ts$"],
  ["aws-sdk", "node_modules/@(aws-sdk|smithy)/", "^src/fleet/s3/s3-bucket\\.ts$"],
  ["x509", "node_modules/@peculiar/", "^src/authority/certificates\\.ts$"],
  ["tldts", "node_modules/tldts/", "^src/upstream/identity/realm-trust\\.ts$"],
  [
    "better-sqlite3",
    "node_modules/(better-sqlite3|@types/better-sqlite3)/",
    // The last takes the operating system's lock through it, and reads and writes nothing.
    "^src/(metadata/(sqlite-file|inspect-database|database-error)|store/lock-directory)\\.ts$",
  ],
  [
    "node:fs",
    "^(node:)?fs(/promises)?$",
    "^src/(files|store|metadata|client|credentials)/|^src/config/(files|find-config)\\.ts$|^src/cli/granary\\.js$|^src/(observe/process-metrics|doctor/run-program|http/admin/page-files)\\.ts$",
  ],
  ["commander", "node_modules/commander/", "^src/cli/"],
  ["cli-progress", "node_modules/(cli-progress|@types/cli-progress)/", "^src/cli/"],
  ["jsonc-parser", "node_modules/jsonc-parser/", "^src/setup/formats/json\\.ts$"],
  ["toml-eslint-parser", "node_modules/toml-eslint-parser/", "^src/setup/formats/toml(-text)?\\.ts$"],
  ["diff", "node_modules/diff/", "^src/setup/show-files\\.ts$"],
  ["croner", "node_modules/croner/", "^src/schedule/"],
  ["tar-stream", "node_modules/tar-stream/", "^src/(client|bundle)/"],
  ["preact", "node_modules/(preact|htm|@preact/signals|uplot)/", "^src/page/"],
  ["koffi", "node_modules/koffi/", "^src/files/send-file\\.ts$"],
  ["pino", "node_modules/(pino|pino-pretty)/", "^src/observe/log\\.ts$"],
  ["prom-client", "node_modules/prom-client/", "^src/observe/(process-)?metrics\\.ts$"],
];

const homes = HOMES.map(([name, path, home]) => ({
  name: `one-home: ${name}`,
  comment: `Only ${home} may import ${name}: call what stands there, or put the new code there.`,
  severity: "error",
  from: { path: "^src/", pathNot: home },
  to: { path },
}));

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      comment:
        "Two files that import each other are one file, or share a third thing that belongs below both.",
      severity: "error",
      from: { path: "^src/" },
      to: { circular: true },
    },
    { name: "no-unresolved", severity: "error", from: { path: "^src/" }, to: { couldNotResolve: true } },
    {
      name: "no-dev-in-src",
      severity: "error",
      from: { path: "^src/" },
      // What only a fleet needs is an optional peer dependency, and installed for the tests.
      to: { dependencyTypes: ["npm-dev"], dependencyTypesNot: ["npm-peer"] },
    },
    roomless,
    pageAlone,
    ...upward,
    ...apart,
    ...homes,
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      extensions: [".ts", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "node", "types"],
    },
    doNotFollow: { path: "node_modules" },
  },
};
