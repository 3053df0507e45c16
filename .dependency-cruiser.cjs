/**
 * The layering of the design, as rules: imports (type imports too) point strictly downward, folders of one
 * rank never import each other, and each third-party package has one home.
 */
const RANKS = [
  ["errors.ts", "version.ts", "bytes", "oci", "ollama", "observe"],
  ["waiting", "files"],
  ["origin.ts"],
  ["source.ts"],
  ["upstream", "store", "metadata", "credentials"],
  ["fill", "routing"],
  ["mirror"],
  ["client", "http", "config"],
  ["open.ts"],
  ["library"],
  ["cli", "index.ts"],
];

const pathOf = (name) => (name.endsWith(".ts") ? `^src/${name.replace(".", "\\.")}$` : `^src/${name}/`);

const upward = RANKS.flatMap((folders, rank) =>
  folders.map((folder) => ({
    name: `downward-only: ${folder}`,
    severity: "error",
    from: { path: pathOf(folder) },
    to: {
      path: RANKS.slice(rank)
        .flat()
        .filter((other) => other !== folder)
        // In rank 0 the order is errors -> bytes -> oci -> ollama; observe stands alone on errors.
        .filter((other) => rank !== 0 || !rankZeroMayImport(folder, other))
        .map(pathOf),
    },
  })),
);

function rankZeroMayImport(folder, other) {
  const order = ["errors.ts", "bytes", "oci", "ollama"];
  if (folder === "observe") return ["errors.ts", "bytes"].includes(other);
  return order.includes(other) && order.indexOf(other) < order.indexOf(folder);
}

/** [what, the only places that may import it] */
const HOMES = [
  ["hono", "node_modules/(hono|@hono/node-server)/", "^src/http/"],
  ["undici", "node_modules/undici/", "^src/upstream/"],
  [
    "better-sqlite3",
    "node_modules/(better-sqlite3|@types/better-sqlite3)/",
    // The last takes the operating system's lock through it, and reads and writes nothing.
    "^src/(metadata/(sqlite-file|inspect-database|database-error)|store/hold-directory)\\.ts$",
  ],
  [
    "node:fs",
    "^(node:)?fs(/promises)?$",
    "^src/(files|store|metadata|client|credentials)/|^src/config/(files|find-config)\\.ts$|^src/cli/granary\\.js$",
  ],
  ["commander", "node_modules/commander/", "^src/cli/"],
  ["cli-progress", "node_modules/(cli-progress|@types/cli-progress)/", "^src/cli/"],
  ["tar-stream", "node_modules/tar-stream/", "^src/client/"],
  ["pino", "node_modules/(pino|pino-pretty)/", "^src/observe/log\\.ts$"],
  ["prom-client", "node_modules/prom-client/", "^src/observe/metrics\\.ts$"],
];

const homes = HOMES.map(([name, path, home]) => ({
  name: `one-home: ${name}`,
  severity: "error",
  from: { path: "^src/", pathNot: home },
  to: { path },
}));

module.exports = {
  forbidden: [
    { name: "no-cycles", severity: "error", from: { path: "^src/" }, to: { circular: true } },
    { name: "no-unresolved", severity: "error", from: { path: "^src/" }, to: { couldNotResolve: true } },
    {
      name: "no-dev-in-src",
      severity: "error",
      from: { path: "^src/" },
      to: { dependencyTypes: ["npm-dev"] },
    },
    ...upward,
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
