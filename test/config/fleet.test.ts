/** Shows what the section `fleet` of a configuration becomes, what is wrong with one that cannot be used, and that none of its secrets is told. */
import { writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { loadAgain, loadSettings, loadWithoutSecrets } from "../../src/config/load.ts";
import { NamedFiles } from "../../src/config/named-files.ts";
import { keysOfSettings } from "../../src/config/settings-keys.ts";
import { shownSettings } from "../../src/config/shown-settings.ts";
import { Reloads } from "../../src/reloading/reloads.ts";
import { blocksOf, readPage } from "../docs/markdown.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { caPem, serverCert, serverKey } from "../support/throwaway-tls.ts";

const ENV = {
  DATABASE_URL: "postgres://granary:hidden-password@db.lab:5432/granary?sslmode=require",
  ACCESS_KEY: "hidden-access-key",
  SECRET_KEY: "hidden-secret-key",
  FLEET_SECRET: "hidden-0123456789abcdef0123456789",
  PASSWORD: "hidden-password",
  SHORT: "hidden-short",
  SPACED: "hidden 0123456789abcdef0123456789 ",
  MYSQL: "mysql://granary:hidden-password@db.lab/granary",
  NO_HOST: "postgres:///granary",
  TORN: "postgres://granary:hidden/password@db.lab/granary",
  UNSAFE: "postgres://granary:hidden-password@db.lab/granary?sslmode=sometimes",
};

/** What every fleet must name. */
const LEAST = `
database: \${DATABASE_URL}
bucket: { name: granary }
internal: { secret: "\${FLEET_SECRET}" }
`;

const DEFAULT = {
  node: hostname(),
  zone: undefined,
  database: ENV.DATABASE_URL,
  bucket: {
    endpoint: undefined,
    region: "us-east-1",
    name: "granary",
    prefix: "",
    keys: undefined,
    pathStyle: false,
  },
  internal: { port: 5081, host: undefined, address: undefined, secret: ENV.FLEET_SECRET, tls: undefined },
  redirectMs: 0,
};

/** A file with `LEAST`, changed by `differs` (YAML; a key without a value goes). */
async function fileOf(differs = "{}", rest: object = {}): Promise<string> {
  const fleet = merged(parse(LEAST), parse(differs));
  const file = join(await tempDirectory(), "granary.yaml");
  await writeFile(file, stringify({ ...rest, fleet }));
  return file;
}

type Section = Readonly<Record<string, unknown>>;

function merged(section: Section, differs: Section): Section {
  const keys = [...new Set([...Object.keys(section), ...Object.keys(differs)])];
  const values = keys.map((key) => {
    const [before, after] = [section[key], differs[key]];
    return [
      key,
      isSection(before) && isSection(after) ? merged(before, after) : key in differs ? after : before,
    ];
  });
  return Object.fromEntries(values.filter(([, value]) => value !== null));
}

function isSection(value: unknown): value is Section {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

async function fleetOf(differs?: string) {
  return (await loadSettings(await fileOf(differs), ENV)).fleet;
}

async function complaint(differs: string, rest: object = {}): Promise<string> {
  const text = await loadSettings(await fileOf(differs, rest), ENV).then(
    () => "nothing is wrong",
    (error: Error) => error.message,
  );
  expect(text).not.toContain("hidden");
  return text.replace(/^\S*granary\.yaml: /, "");
}

async function written(name: string, text: string): Promise<string> {
  const file = join(await tempDirectory(), name);
  await writeFile(file, text);
  return file;
}

describe("what is written", () => {
  test("without the section, one node is alone", async () => {
    expect(await loadSettings(undefined, {})).not.toHaveProperty("fleet");
  });

  test("the least that must be said leaves everything else to defaults", async () => {
    expect(await fleetOf()).toEqual(DEFAULT);
  });

  test("everything that can be said", async () => {
    const all = `
      node: granary-2
      zone: room-1
      bucket:
        endpoint: https://s3.lab:8333/
        region: eu-central-1
        prefix: /lab/granary
        accessKey: \${ACCESS_KEY}
        secretKey: \${SECRET_KEY}
      internal: { port: 6000, host: 10.0.0.7, address: "node-2.lab:6001" }
      redirect: 5m
    `;
    expect(await fleetOf(all)).toEqual({
      ...DEFAULT,
      node: "granary-2",
      zone: "room-1",
      bucket: {
        endpoint: "https://s3.lab:8333",
        region: "eu-central-1",
        name: "granary",
        prefix: "lab/granary/",
        keys: { accessKey: ENV.ACCESS_KEY, secretKey: ENV.SECRET_KEY },
        pathStyle: true,
      },
      internal: { ...DEFAULT.internal, port: 6000, host: "10.0.0.7", address: "node-2.lab:6001" },
      redirectMs: 300_000,
    });
  });

  test("secrets can be files", async () => {
    const differs = {
      database: null,
      databaseFile: await written("database", `${ENV.DATABASE_URL}\n`),
      bucket: { accessKey: "key", secretKeyFile: await written("key", `${ENV.SECRET_KEY}\n`) },
      internal: { secret: null, secretFile: await written("secret", `${ENV.FLEET_SECRET}\n`) },
    };
    expect(await fleetOf(stringify(differs))).toEqual({
      ...DEFAULT,
      bucket: { ...DEFAULT.bucket, keys: { accessKey: "key", secretKey: ENV.SECRET_KEY } },
    });
  });

  test("certificates in place of a secret, or beside it", async () => {
    const files = {
      certFile: await written("node.crt", serverCert),
      keyFile: await written("node.key", serverKey),
      caFile: await written("ca.crt", caPem),
    };
    const tls = { cert: serverCert, key: serverKey, ca: caPem };
    expect((await fleetOf(stringify({ internal: files })))?.internal).toEqual({ ...DEFAULT.internal, tls });
    expect((await fleetOf(stringify({ internal: { ...files, secret: null } })))?.internal).toEqual({
      ...DEFAULT.internal,
      secret: undefined,
      tls,
    });
  });

  test.each([
    "postgresql://granary@db.lab/granary",
    "postgres://granary:$" + "{PASSWORD}@db.lab/granary?sslmode=verify-full",
    "postgres://granary@db-1.lab:5432,db-2.lab:5432/granary",
    "postgres://granary@[fd00::7]/granary",
  ])("an address of a database: %s", async (database) => {
    const filled = database.replace("$" + "{PASSWORD}", ENV.PASSWORD);
    expect((await fleetOf(stringify({ database })))?.database).toBe(filled);
  });

  test.each([
    ["redirect: off", 0],
    ["redirect: false", 0],
    ["redirect: 0", 0],
    ["redirect: 10m", 600_000],
  ])("%s", async (text, redirectMs) => {
    expect((await fleetOf(text))?.redirectMs).toBe(redirectMs);
  });

  test.each(["node-1", "node-1.lab:5081", "10.0.0.7", "[fd00::7]:5081"])("address: %s", async (address) => {
    expect((await fleetOf(stringify({ internal: { address } })))?.internal.address).toBe(address);
  });

  test("a prefix ends with one /, and an empty one is none", async () => {
    for (const [prefix, wanted] of [
      ["granary", "granary/"],
      ["granary//", "granary/"],
      ["/", ""],
    ])
      expect((await fleetOf(stringify({ bucket: { prefix } })))?.bucket.prefix).toBe(wanted);
  });

  test("the example of every section is one that loads", async () => {
    const page = await readPage("config/granary.yaml");
    const [, block = ""] = /^(# fleet:.*\n(?:#.*\n)+)/m.exec(page) ?? [];
    const section = parse(block.replaceAll(/^# /gm, "")) as { fleet: { internal: Section } };
    const { certFile: _, keyFile: __, caFile: ___, ...internal } = section.fleet.internal;
    const file = await written("granary.yaml", stringify({ fleet: { ...section.fleet, internal } }));
    const env = {
      DATABASE_URL: ENV.DATABASE_URL,
      BUCKET_ACCESS_KEY: ENV.ACCESS_KEY,
      BUCKET_SECRET_KEY: ENV.SECRET_KEY,
      GRANARY_FLEET_SECRET: ENV.FLEET_SECRET,
    };
    expect((await loadSettings(file, env)).fleet).toMatchObject({ node: "granary-1", redirectMs: 0 });
  });
});

test("the examples of docs/fleet.md load", async () => {
  const examples = blocksOf(await readPage("docs/fleet.md")).filter(({ language }) => language === "yaml");
  expect(examples).toHaveLength(3);
  const env = {
    DOCKERHUB_USERNAME: "someone",
    DOCKERHUB_TOKEN: ENV.PASSWORD,
    DATABASE_URL: ENV.DATABASE_URL,
    BUCKET_ACCESS_KEY: ENV.ACCESS_KEY,
    BUCKET_SECRET_KEY: ENV.SECRET_KEY,
    GRANARY_FLEET_SECRET: ENV.FLEET_SECRET,
  };
  const files = {
    certFile: await written("node.crt", serverCert),
    keyFile: await written("node.key", serverKey),
    caFile: await written("ca.crt", caPem),
  };
  for (const { text } of examples) {
    // The files that an example names are on another machine.
    const here = text.replaceAll(
      /(certFile|keyFile|caFile): .*/g,
      (_, key: keyof typeof files) => `${key}: ${files[key]}`,
    );
    await expect(loadSettings(await written("granary.yaml", here), env), text).resolves.toBeDefined();
  }
});

describe("what cannot be used is one sentence, without a secret", () => {
  test.each([
    [
      "no database",
      "database: null",
      /^fleet\.database: a fleet needs a PostgreSQL database: give .*databaseFile\.$/,
    ],
    ["another database", `database: '\${MYSQL}'`, /^fleet\.database: expected an address such as postgres:/],
    ["a database without a host", `database: '\${NO_HOST}'`, /^fleet\.database: the address names no host/],
    ["a password that tears the address", `database: '\${TORN}'`, /^fleet\.database: .*%25/],
    [
      "a sslmode that there is not",
      `database: '\${UNSAFE}'`,
      /^fleet\.database: its sslmode is none of disable, /,
    ],
    [
      "a password in the open",
      "database: 'postgres://granary:hidden@db.lab/granary'",
      /^fleet\.database: a password is not written into this file: .* or use databaseFile\.$/,
    ],
    [
      "one among the parameters",
      "database: 'postgres://db.lab/granary?user=granary&password=hidden'",
      /^fleet\.database: a password is not written into this file/,
    ],
    [
      "one beside a variable",
      `database: 'postgres://granary:hidden\${PASSWORD}@db.lab/granary'`,
      /^fleet\.database: a password is not written into this file/,
    ],
    ["an address twice", "databaseFile: /run/x", /^fleet: give either database or databaseFile, not both\.$/],
    ["a variable that is not set", `database: '\${NOT_SET}'`, /NOT_SET is not set\.$/],
    ["no bucket", "bucket: null", /^fleet\.bucket: expected keys such as endpoint and name\.$/],
    [
      "a bucket without a name",
      "bucket: { name: null }",
      /^fleet\.bucket\.name: expected the name of a bucket\.$/,
    ],
    ["no bucket's name", "bucket: { name: a/b }", /^fleet\.bucket\.name: expected the name of a bucket\.$/],
    ["no URL", "bucket: { endpoint: s3.lab }", /^fleet\.bucket\.endpoint: expected a URL such as https:/],
    [
      "keys in the URL",
      "bucket: { endpoint: 'https://a:hidden@s3.lab' }",
      /^fleet\.bucket\.endpoint: a login belongs in accessKey and secretKey\.$/,
    ],
    [
      "a query in the URL",
      "bucket: { endpoint: 'https://s3.lab/?x' }",
      /endpoint: expected a URL without a query/,
    ],
    [
      "a secret key in the open",
      "bucket: { secretKey: hidden }",
      /^fleet\.bucket\.secretKey: a secretKey is not/,
    ],
    [
      "half of the keys",
      "bucket: { accessKey: key }",
      /^fleet\.bucket\.secretKey: accessKey and secretKey \(or secretKeyFile\) go together\.$/,
    ],
    ["the other half", `bucket: { secretKey: '\${SECRET_KEY}' }`, /^fleet\.bucket\.accessKey: accessKey and/],
    [
      "a prefix that climbs",
      "bucket: { prefix: a/../b }",
      /^fleet\.bucket\.prefix: expected a prefix without/,
    ],
    [
      "a prefix with a blank",
      "bucket: { prefix: 'a b' }",
      /^fleet\.bucket\.prefix: expected letters, digits/,
    ],
    [
      "neither secret nor certificates",
      "internal: null",
      /^fleet\.internal: nodes must know each other: .*`openssl rand -hex 32`.*certFile, keyFile and caFile\.$/,
    ],
    [
      "a short secret",
      `internal: { secret: '\${SHORT}' }`,
      /^fleet\.internal\.secret: .*at least 32 .*openssl rand/,
    ],
    [
      "a secret with blanks",
      `internal: { secret: '\${SPACED}' }`,
      /^fleet\.internal\.secret: a secret has no spaces/,
    ],
    [
      "a secret in the open",
      `internal: { secret: hidden-${"0".repeat(32)} }`,
      /secret: a secret is not written/,
    ],
    [
      "a certificate alone",
      "internal: { certFile: /x }",
      /^fleet\.internal: certFile, keyFile and caFile go together\.$/,
    ],
    [
      "a certificate that is not there",
      "internal: { certFile: /nowhere/x, keyFile: /nowhere/y, caFile: /nowhere/z }",
      /^fleet\.internal\.(?:cert|key)File: the file \/nowhere\/[xy] cannot be read/,
    ],
    [
      "no place",
      "internal: { address: 'http://node' }",
      /^fleet\.internal\.address: expected HOST or HOST:PORT/,
    ],
    [
      "no port",
      "internal: { address: 'node:65536' }",
      /^fleet\.internal\.address: expected HOST or HOST:PORT/,
    ],
    [
      "a listener's port",
      "internal: { port: 5000 }",
      /^fleet\.internal\.port: port 5000 is used by listeners\.0\.$/,
    ],
    [
      "the admin face's port",
      "internal: { port: 5080 }",
      /^fleet\.internal\.port: port 5080 is used by admin\.$/,
    ],
    ["a name with a blank", "node: my node", /^fleet\.node: expected letters, digits, dots/],
    ["a zone with a /", "zone: a/b", /^fleet\.zone: expected letters, digits, dots/],
    [
      "a redirect that outlives its address",
      "redirect: 11m",
      /^fleet\.redirect: expected off, or a time from 1s to 10m\.$/,
    ],
    [
      "a redirect that ends at once",
      "redirect: 5ms",
      /^fleet\.redirect: expected off, or a time from 1s to 10m\.$/,
    ],
    ["another word", "redirect: sometimes", /^fleet\.redirect: expected off, or a duration/],
    [
      "a key that there is not",
      "bucket: { nmae: x }",
      /^fleet\.bucket\.nmae: no such key \(did you mean name\?\)/,
    ],
    [
      "an unknown key",
      "peers: [a]",
      /^fleet\.peers: no such key.*; allowed in fleet are node, zone, database, /,
    ],
  ])("%s", async (_, differs, wanted) => {
    expect(await complaint(differs)).toMatch(wanted);
  });
});

test("what is shown of a fleet has no address of its database, no key, secret or certificate in it", async () => {
  const files = {
    certFile: await written("node.crt", serverCert),
    keyFile: await written("node.key", serverKey),
    caFile: await written("ca.crt", caPem),
  };
  const differs = {
    zone: "room-1",
    bucket: { accessKey: "$" + "{ACCESS_KEY}", secretKey: "$" + "{SECRET_KEY}" },
    internal: files,
  };
  const settings = await loadSettings(await fileOf(stringify(differs)), ENV);
  const shown = JSON.stringify(shownSettings(settings));
  expect(shown).not.toMatch(/hidden|BEGIN|db\.lab/);
  expect(shownSettings(settings).fleet).toEqual({
    node: hostname(),
    zone: "room-1",
    bucket: { region: "us-east-1", name: "granary", prefix: "", pathStyle: false },
    internal: { port: 5081 },
    redirectMs: 0,
  });
});

test("who looks into what is stored needs none of its variables", async () => {
  expect(await loadWithoutSecrets(await fileOf(), {})).not.toHaveProperty("fleet");
});

describe("a reload", () => {
  async function reloaded(before: string | undefined, after: string | undefined) {
    const started = await settingsOf(before);
    const read = async () => ({ settings: await settingsOf(after), problems: [] });
    const report = await new Reloads({ started, read, keysOf: keysOfSettings, parts: [] }).run(true);
    expect(report.applied).toEqual([]);
    return report.needRestart;
  }

  async function settingsOf(differs: string | undefined) {
    return await loadSettings(differs === undefined ? undefined : await fileOf(differs), ENV);
  }

  test("names what has changed by its key, and that it needs a restart", async () => {
    const after = "{ zone: room-2, bucket: { prefix: x }, internal: { port: 6000 }, redirect: 1m }";
    const keys = ["fleet.bucket", "fleet.internal", "fleet.redirect", "fleet.zone"];
    expect(await reloaded("{}", after)).toEqual(keys.map((key) => ({ key, change: "changed" })));
  });

  test("names a fleet that comes or goes", async () => {
    const keys = Object.keys(DEFAULT)
      .map((key) => `fleet.${key.replace("Ms", "")}`)
      .toSorted();
    expect(await reloaded(undefined, "{}")).toEqual(keys.map((key) => ({ key, change: "added" })));
    expect(await reloaded("{}", undefined)).toEqual(keys.map((key) => ({ key, change: "removed" })));
  });

  test("goes on with the last certificate while its key is not written yet", async () => {
    const keyFile = await written("node.key", serverKey);
    const files = {
      certFile: await written("node.crt", serverCert),
      keyFile,
      caFile: await written("ca.crt", caPem),
    };
    const file = await fileOf(stringify({ internal: files }));
    const named = new NamedFiles();
    const before = await loadAgain(file, ENV, named);
    await writeFile(keyFile, "");
    const after = await loadAgain(file, ENV, named);
    expect(after.settings.fleet).toEqual(before.settings.fleet);
    expect(after.problems).toEqual([expect.stringMatching(/^fleet\.internal: certFile and its key cannot/)]);
  });
});
