import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadSettings } from "../../src/config/load.ts";
import { jsonSchema } from "../../src/config/schema.ts";
import { GranaryError } from "../../src/errors.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const EXAMPLE = join(import.meta.dirname, "../../config/granary.yaml");

async function load(text: string, env: Record<string, string> = {}) {
  const file = join(await tempDirectory(), "granary.yaml");
  await writeFile(file, text);
  return await loadSettings(file, env);
}

/** A variable, as it stands in a configuration. */
const TOKEN = "$" + "{TOKEN}";

async function complaint(text: string, env: Record<string, string> = {}): Promise<string> {
  const error: unknown = await load(text, env).then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(error instanceof GranaryError)) throw new Error("the configuration was taken");
  expect(error.code).toBe("config-invalid");
  return error.message;
}

describe("without a configuration", () => {
  test("both registries are served from ./data", async () => {
    const settings = await loadSettings(undefined, {});
    expect(settings.listeners.map(({ port, upstream }) => [port, upstream])).toEqual([
      [5000, "docker.io"],
      [11435, "registry.ollama.ai"],
    ]);
    expect(settings.storage.directory).toBe("./data");
    expect(settings.upstreams.find(({ name }) => name === "registry.ollama.ai")?.policy.lanes).toBe(16);
    expect(settings.upstreams.find(({ name }) => name === "docker.io")?.endpoints).toEqual([
      "https://registry-1.docker.io",
    ]);
  });
});

describe("a configuration file", () => {
  test("may be empty", async () => {
    expect(await load("")).toEqual(await loadSettings(undefined, {}));
  });

  test("changes what it names and nothing else", async () => {
    const settings = await load("storage: {maxSize: 1GiB}\nupstreams: {docker.io: {lanes: 3, stall: 2s}}\n");
    const rest = { directory: "./data", minFree: 5 * 2 ** 30, verifyEveryMs: 30 * 86_400_000 };
    expect(settings.storage).toEqual({ ...rest, maxSize: 2 ** 30 });
    for (const [written, ms] of [
      ["never", 0],
      ["7d", 7 * 86_400_000],
    ] as const)
      expect((await load(`storage: {verifyEvery: ${written}}`)).storage.verifyEveryMs).toBe(ms);
    const hub = settings.upstreams.find(({ name }) => name === "docker.io");
    expect(hub?.policy).toMatchObject({ lanes: 3, stallMs: 2_000, tagLifetimeMs: 600_000 });
    expect(hub?.aliases).toContain("index.docker.io");
  });

  test("says what is never evicted, and refuses a pattern that cannot be read by its place", async () => {
    const { keep = [] } = await load("keep: ['alpine:3.*', 'ollama:llama3.2']\n");
    expect(keep.map(({ text }) => text)).toEqual([
      "docker.io/library/alpine:3.*",
      "registry.ollama.ai/library/llama3.2",
    ]);
    expect(await complaint("keep: [alpine, gchr.io/org/app]\n")).toMatch(
      /keep\.1: "gchr\.io\/org\/app": no upstream "gchr\.io" is configured\. Near to it: /,
    );
  });

  test("says how many connections clients may have, and how long one may take nothing", async () => {
    const { clients } = await load("clients: {maxConnections: 500, stall: 90s}\n");
    expect(clients).toEqual({
      maxConnections: 500,
      maxConnectionsPerAddress: 12_288,
      stallMs: 90_000,
      sendfile: true,
    });
    expect(await complaint("clients: {maxConnection: 5}\n")).toContain(
      "allowed in clients are maxConnections, maxConnectionsPerAddress, stall, sendfile",
    );
  });

  test("adds names to the built-in ones", async () => {
    const settings = await load("upstreams: {docker.io: {aliases: [hub.lab]}}\n");
    const hub = settings.upstreams.find(({ name }) => name === "docker.io");
    expect(hub?.aliases).toEqual(["registry-1.docker.io", "index.docker.io", "hub.lab"]);
  });

  test("adds registries, over https by their own name", async () => {
    const settings = await load("upstreams: {registry.example.com: {}}\n");
    expect(settings.upstreams.find(({ name }) => name === "registry.example.com")).toMatchObject({
      endpoints: ["https://registry.example.com"],
      internal: false,
    });
  });

  test("takes secrets from the environment and from files", async () => {
    const file = join(await tempDirectory(), "secret");
    await writeFile(file, "from-a-file\n");
    const settings = await load(
      `upstreams:\n  docker.io: {username: "\${NAME}", password: "\${TOKEN}"}\n  ghcr.io: {username: me, passwordFile: ${file}}\n`,
      { NAME: "someone", TOKEN: "s3cret" },
    );
    const credentialsOf = (wanted: string) =>
      settings.upstreams.find(({ name }) => name === wanted)?.credentials;
    expect(credentialsOf("docker.io")).toEqual({ username: "someone", password: "s3cret" });
    expect(credentialsOf("ghcr.io")).toEqual({ username: "me", password: "from-a-file" });
  });

  test("may leave an upstream's credentials to the login files, read later", async () => {
    const settings = await load("upstreams: {ghcr.io: {credentials: docker-config}}\n");
    const found = settings.upstreams.filter(({ credentialsFrom }) => credentialsFrom === "docker-config");
    expect(found).toMatchObject([{ name: "ghcr.io", credentials: undefined }]);
  });

  test("in config/ is a valid example, and changes nothing but what it shows", async () => {
    expect(await loadSettings(EXAMPLE, {})).toEqual(await loadSettings(undefined, {}));
  });
});

describe("a mistake in it is one sentence with the key's path and what is allowed", () => {
  test.each([
    [
      "an unknown key",
      "storage: {maxsize: 1GiB}",
      /storage\.maxsize: no such key \(did you mean maxSize\?\); allowed in storage are directory, maxSize, minFree/,
    ],
    ...[
      "admin: {prot: 1}",
      "bandwidth: {totl: 1MB/s}",
      "traffic: {kep: 1d}",
      "prefetch: {platform: [a]}",
    ].map((text): [string, string, RegExp] => [
      `a slip in ${text}`,
      text,
      /(?:prot.*mean port|totl.*mean total|kep.*mean keep|platform.*mean platforms)\?\); allowed in (?!.*storage)/,
    ]),
    [
      "an unknown key deep below",
      "bandwidth: {hours: [{from: '1:00', to: '2:00', totl: 1MB/s}]}",
      /bandwidth\.hours\.0\.totl: no such key.*allowed in bandwidth\.hours\.0 are from, to, total, upstreams/,
    ],
    [
      "an unknown key of a list that is named by people",
      "warm: {night: {references: [a], schedul: daily}}",
      /warm\.night\.schedul: no such key \(did you mean schedule\?\); allowed in warm\.night are references/,
    ],
    [
      "what is neither of two kinds",
      "traffic: {clients: perhaps}",
      /traffic\.clients: expected off, or a duration/,
    ],
    [
      "an unknown key at the top",
      "upstream: {}",
      /upstream: no such key \(did you mean upstreams\?\); allowed at the top are listeners, storage/,
    ],
    [
      "an unknown key of an upstream",
      "upstreams: {docker.io: {lane: 1}}",
      /upstreams\.docker\.io\.lane: no such key.*lanes/,
    ],
    ["a size without sense", "storage: {maxSize: 3 apples}", /storage\.maxSize: expected a size/],
    [
      "a duration without sense",
      "upstreams: {docker.io: {stall: soon}}",
      /upstreams\.docker\.io\.stall: expected a duration/,
    ],
    ["a port that is none", "listeners: [{port: 70000, upstream: docker.io}]", /listeners\.0\.port/],
    [
      "a listener for an unknown upstream",
      "listeners: [{port: 1, upstream: nowhere.example}]",
      /listeners\.0\.upstream.*known are docker\.io/,
    ],
    [
      "an endpoint that is no URL",
      "upstreams: {x.example: {endpoints: [ftp://x]}}",
      /upstreams\.x\.example\.endpoints\.0/,
    ],
    ["half a login", "upstreams: {docker.io: {username: me}}", /upstreams\.docker\.io: credentials need/],
    [
      "credentials of an unknown kind",
      "upstreams: {ghcr.io: {credentials: keychain}}",
      /upstreams\.ghcr\.io\.credentials: expected "docker-config", or username and password/,
    ],
    ...["username: me", `password: '\${HOME}'`, "passwordFile: /nowhere"].map(
      (key): [string, string, RegExp] => [
        `docker-config beside ${key}`,
        `upstreams: {ghcr.io: {credentials: docker-config, ${key}}}`,
        /upstreams\.ghcr\.io: give either credentials: docker-config or username and password, not both/,
      ],
    ),
    [
      "an unset variable",
      `upstreams: {docker.io: {password: '\${UNSET}'}}`,
      /upstreams\.docker\.io\.password: the environment variable UNSET is not set/,
    ],
    [
      "a missing CA file",
      "upstreams: {docker.io: {caFile: /nowhere/ca.pem}}",
      /upstreams\.docker\.io\.caFile.*\/nowhere\/ca\.pem/,
    ],
    ["no YAML", "a: [", /is not YAML/],
    ["a list in place of a map", "- a", /the file: expected object/],
  ])("%s", async (_, text, wanted) => {
    expect(await complaint(text, { HOME: "x" })).toMatch(wanted);
  });

  test.each([
    [
      "the same port twice",
      "listeners: [{port: 1, upstream: docker.io}, {port: 1, upstream: ghcr.io}]",
      /listeners\.1\.port: port 1 is used/,
    ],
    [
      "plain http without internal",
      "upstreams: {x.example: {endpoints: ['http://x.example']}}",
      /upstreams\.x\.example\.endpoints\.0: plain http needs internal/,
    ],
    [
      "/v2 at an endpoint's end",
      "upstreams: {x.example: {endpoints: ['https://x.example/v2/']}}",
      /endpoints\.0: expected a URL without \/v2/,
    ],
    [
      "a prefix after /v2 that no repository can have",
      "upstreams: {x.example: {endpoints: ['https://x.example/v2/Hub_Proxy']}}",
      /endpoints\.0: "Hub_Proxy", which follows \/v2, is put before every repository name/,
    ],
    [
      "one name for two upstreams",
      "upstreams: {x.example: {aliases: [ghcr.io]}}",
      /"ghcr\.io" is also a name of x\.example/,
    ],
    [
      "segments upside down",
      "upstreams: {x.example: {firstSegment: 2MiB, largestSegment: 1MiB}}",
      /largestSegment: must be at least firstSegment/,
    ],
    [
      "a password in the open",
      "upstreams: {docker.io: {username: me, password: hunter2}}",
      /upstreams\.docker\.io\.password: a password is not written/,
    ],
  ])("%s", async (_, text, wanted) => {
    expect(await complaint(text)).toMatch(wanted);
  });

  test.each<[string, string, RegExp]>([
    [
      "an alias",
      "upstreams:\n  docker.io:\n    username: x\n    password: *SECRET",
      /line 4, column 15 \(upstreams\.docker\.io\.password\): an alias \(\*\) leads to no anchor/,
    ],
    [
      "a tag",
      "upstreams:\n  docker.io:\n    username: x\n    password: !SECRET",
      /line 4, column 15 \(upstreams\.docker\.io\.password\): a tag \(!\) that is not known/,
    ],
    ["a tag with a value", "upstreams: {docker.io: {password: !SECRET x}}", /a tag \(!\)/],
    ["a tag with a value of its own", "upstreams: {docker.io: {password: !!SECRET x}}", /a tag \(!\)/],
    ["an anchor without a value", "upstreams: {docker.io: {password: &SECRET}}", /docker\.io/],
    ["an alias to itself", "upstreams: &SECRET\n  docker.io: *SECRET", /docker\.io|not YAML/],
    ["an open bracket", "upstreams: {docker.io: {password: [SECRET", /not YAML: line 1/],
    ["an open quote", "upstreams: {docker.io: {password: 'SECRET", /not YAML: line 1/],
    ["a bad escape", 'upstreams: {docker.io: {password: "\\qSECRET"}}', /not YAML: line 1.*single quotes/],
    ["a reserved character", "upstreams:\n  docker.io:\n    password: @SECRET", /line 3.*in quotes/],
    ["a directive", "%SECRET x\n---\na: 1", /not YAML: line 1/],
    [
      "no space behind the colon",
      "upstreams: {docker.io: {password:SECRET}}",
      /docker\.io\.password…: no such key/,
    ],
    [
      "no space behind the colon, in lines",
      "upstreams:\n  docker.io:\n    username: x\n    password:SECRET",
      /not YAML: line 4/,
    ],
    ["no space, alone", "upstreams:\n  docker.io:\n    password:SECRET", /docker\.io: expected object/],
    ["a list", "upstreams: {docker.io: {password: [SECRET]}}", /docker\.io\.password/],
    ["a map", "upstreams: {docker.io: {password: {SECRET: 1}}}", /docker\.io\.password/],
    ["a key twice", "upstreams:\n  docker.io:\n    password: SECRET\n    password: SECRET", /line 4.*twice/],
    ["a login in a name", "upstreams: {'u:SECRET@ghcr.io': {lanes: 0}}", /upstreams\.\*\*\*@ghcr\.io\.lanes/],
    [
      "a variable in a list of words",
      `upstreams: {docker.io: {privateContent: '${TOKEN}'}}`,
      /privateContent/,
    ],
    [
      "a variable as a name",
      `listeners: [{port: 1, upstream: '${TOKEN}'}]`,
      /"\$\{TOKEN\}" is not configured/,
    ],
    ["a variable in a path", `upstreams: {x.y: {endpoints: ['https://x.y/v2/${TOKEN}']}}`, /"\$\{TOKEN\}"/],
    ["a variable as a file", `upstreams: {x.y: {caFile: '${TOKEN}'}}`, /the file \$\{TOKEN\} cannot be read/],
  ])("no secret that stands in a wrong place: %s", async (_, text, wanted) => {
    const warned: unknown[] = [];
    const onWarning = (warning: unknown) => warned.push(warning);
    process.on("warning", onWarning);
    const told = await complaint(text, { TOKEN: "SECRET-of-the-environment" });
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", onWarning);
    expect(`${told} ${warned}`).not.toContain("SECRET");
    expect(told).toMatch(wanted);
  });

  test("an empty variable", async () => {
    const text = `upstreams: {docker.io: {username: me, password: '\${EMPTY}'}}`;
    expect(await complaint(text, { EMPTY: "" })).toMatch(/password: the environment variable EMPTY is empty/);
  });

  test("never shows a secret", async () => {
    expect(await complaint("upstreams: {docker.io: {password: hunter2}}")).not.toContain("hunter2");
  });

  test("a file that is not there is said by name", async () => {
    await expect(loadSettings("/nowhere/granary.yaml", {})).rejects.toThrow(/\/nowhere\/granary\.yaml/);
  });
});

describe("by DNS", () => {
  const listener = (more: string) =>
    `listeners: [{port: 443, upstream: docker.io, tlsFromCa: true, ${more}}]`;

  test("certificates come from files or from the own authority, and clients' logins are for registries", async () => {
    expect((await load(listener(""))).listeners).toMatchObject([{ tlsFromCa: true, tls: undefined }]);
    const both = await complaint(listener("certFile: a.crt, keyFile: a.key"));
    expect(both).toContain("listeners.0: give either tlsFromCa or certFile and keyFile, not both.");
    expect(await complaint(listener("login: {username: x}"))).toContain("with tlsFromCa there is no login");
  });

  test("DNS servers are addresses, with a port or without", async () => {
    const servers = ["9.9.9.9", "192.0.2.53:5353", "2001:db8::53", "[2001:db8::53]:5353", "[2001:db8::53]"];
    expect((await load(JSON.stringify({ resolver: servers }))).resolver).toEqual(servers);
    for (const wrong of ["dns.example", "9.9.9.9:0", "9.9.9.9:99999", "9.9.9", "[::1", "https://9.9.9.9"])
      expect(await complaint(JSON.stringify({ resolver: ["9.9.9.9", wrong] }))).toContain(
        `resolver.1: "${wrong}" is no address of a DNS server`,
      );
  });
});

test("the JSON Schema beside the example is current (vitest -u writes it)", async () => {
  await expect(`${JSON.stringify(jsonSchema(), null, 2)}\n`).toMatchFileSnapshot(
    "../../config/granary.schema.json",
  );
});
