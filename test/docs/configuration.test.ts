/**
 * Shows that docs/configuration.md lists every key that the schema has, and no other, and that each default it names is what holds
 * where a configuration says nothing.
 */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { BUILT_IN_UPSTREAMS } from "../../src/config/defaults.ts";
import { loadSettings } from "../../src/config/load.ts";
import { jsonSchema } from "../../src/config/schema.ts";
import type { Settings } from "../../src/config/settings.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { blocksOf, readPage, rowsUnder } from "./markdown.ts";

const PAGE = "docs/configuration.md";

/** Keys that mean something only when they are given: every other one has a default. */
const WITHOUT_DEFAULT = [
  "admin.token",
  "admin.tokenFile",
  "bandwidth.hours[].total",
  "bandwidth.hours[].upstreams.NAME",
  "bandwidth.total",
  "bandwidth.upstreams.NAME",
  "fleet.bucket.accessKey",
  "fleet.bucket.endpoint",
  "fleet.bucket.maxSize",
  "fleet.bucket.pathStyle",
  "fleet.bucket.secretKey",
  "fleet.bucket.secretKeyFile",
  "fleet.database",
  "fleet.databaseFile",
  "fleet.internal.address",
  "fleet.internal.caFile",
  "fleet.internal.certFile",
  "fleet.internal.host",
  "fleet.internal.keyFile",
  "fleet.internal.secret",
  "fleet.internal.secretFile",
  "fleet.node",
  "fleet.zone",
  "listeners[].certFile",
  "listeners[].host",
  "listeners[].keyFile",
  "listeners[].login.password",
  "listeners[].login.passwordFile",
  "listeners[].login.username",
  "listeners[].tlsFromCa",
  "proxy.host",
  // Here "none" is the default itself.
  "proxy.tunnel",
  "resolver",
  "upstreams.NAME.caFile",
  "upstreams.NAME.clientCertFile",
  "upstreams.NAME.clientKeyFile",
  "upstreams.NAME.credentials",
  "upstreams.NAME.password",
  "upstreams.NAME.passwordFile",
  "upstreams.NAME.username",
  "warm.NAME.attestations",
  "warm.NAME.every",
  "warm.NAME.platforms",
  "warm.NAME.schedule",
  "warm.NAME.when",
];

/** What the examples take from the environment. */
const ENV = {
  DATABASE_URL: "postgres://granary:a-password@db.lab/granary",
  BUCKET_ACCESS_KEY: "an-access-key",
  BUCKET_SECRET_KEY: "a-secret-key",
  GRANARY_FLEET_SECRET: "0123456789abcdef0123456789abcdef",
};

/** An upstream of no kind, a proxy, and a fleet with what every fleet must name: their other keys have defaults. */
const PLAIN = stringify({
  upstreams: { NAME: {} },
  fleet: {
    database: "$" + "{DATABASE_URL}",
    bucket: { name: "granary" },
    internal: { secret: "$" + "{GRANARY_FLEET_SECRET}" },
  },
  proxy: {},
});

let page: string;
beforeAll(async () => {
  page = await readPage(PAGE);
});

describe("the tables of docs/configuration.md", () => {
  it("name every key of the schema once, and nothing that is not a key", () => {
    expect(keysOfPage().map(({ key }) => key)).toEqual([...keysOfSchema(jsonSchema())].sort());
  });

  it("call no key optional that has to be given, and none required that need not be", () => {
    const required = keysOfPage().filter(({ value }) => value === "required");
    expect(required.map(({ key }) => key)).toEqual([
      "bandwidth.hours[].from",
      "bandwidth.hours[].to",
      "fleet.bucket.name",
      "listeners[].port",
      "listeners[].upstream",
      "warm.NAME.references",
    ]);
    const none = keysOfPage().filter(({ value }) => value === "none");
    expect(none.map(({ key }) => key)).toEqual(WITHOUT_DEFAULT);
  });

  it("name defaults that change nothing when they are written into a configuration", async () => {
    const plain = await load(PLAIN);
    const written = keysOfPage().filter(({ value }) => !["none", "required"].includes(value));
    expect(written.length).toBeGreaterThan(20);
    for (const { key, value } of written) {
      expect(await load(PLAIN, key, value), `${key}: ${value}`).toEqual(plain);
    }
  });

  it("say of each built-in upstream how it differs from any other", async () => {
    const rows = rowsUnder(page, "name").map(([name = "", aliases = "", differs = ""]) => ({
      name: codeIn(name)[0] ?? "",
      aliases: codeIn(aliases),
      differs: codeIn(differs).join("\n"),
    }));
    expect(rows.map(({ name }) => name)).toEqual(Object.keys(BUILT_IN_UPSTREAMS));
    const builtIn = await load("");
    for (const { name, aliases, differs } of rows) {
      expect(upstreamIn(builtIn, name)?.aliases, name).toEqual(aliases);
      // Under another name nothing is built in: what the row says must be all that makes the built-in one.
      const told = { endpoints: [`https://${name}`], ...parse(differs) };
      const made = await load(stringify({ upstreams: { other: told } }));
      expect({ ...upstreamIn(made, "other"), name, aliases }, name).toEqual(upstreamIn(builtIn, name));
    }
  });
});

describe("the examples of docs/configuration.md", () => {
  it("load", async () => {
    const examples = blocksOf(page).filter(({ language }) => language === "yaml");
    expect(examples).toHaveLength(5);
    for (const { text } of examples) {
      // Files that an example names are on another machine.
      const document = parse(text.replaceAll(/^.*(?:caFile|passwordFile|username):.*\n/gm, ""));
      await expect(load(stringify(document))).resolves.toBeDefined();
    }
  });

  it("show the listeners that there are without any", async () => {
    const [listeners] = blocksOf(page).filter(({ language }) => language === "yaml");
    expect((await load(listeners?.text ?? "")).listeners).toEqual((await load("")).listeners);
  });

  it("show the sentence that a wrong key gets", async () => {
    const [shown] = blocksOf(page).filter(({ language }) => language === "text");
    const complaint = await load("storage: {maxsize: 1GiB}").catch((error: Error) => error.message);
    expect(String(complaint).replace(/^.*granary\.yaml/, "granary.yaml")).toBe(shown?.text.trim());
  });
});

/** Path and default of every row, by path. */
function keysOfPage(): { key: string; value: string }[] {
  const rows = rowsUnder(page, "key").map(([key = "", value = ""]) => ({
    key: codeIn(key)[0] ?? "",
    value: codeIn(value)[0] ?? value,
  }));
  return rows.sort((a, b) => (a.key < b.key ? -1 : 1));
}

type Node = {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: Node | boolean;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
};

/** The paths of the values that people write: what has keys of its own is no value. */
function* keysOfSchema(schema: unknown, path = ""): Generator<string> {
  const { properties, additionalProperties, items, anyOf } = schema as Node;
  const named = Object.entries(properties ?? {});
  for (const [key, inner] of named) yield* keysOfSchema(inner, path === "" ? key : `${path}.${key}`);
  if (named.length > 0) return;
  const inner = anyOf?.find((one) => one.properties !== undefined);
  if (inner !== undefined) yield* keysOfSchema(inner, path);
  else if (items?.properties !== undefined) yield* keysOfSchema(items, `${path}[]`);
  else if (typeof additionalProperties === "object")
    yield* keysOfSchema(additionalProperties, `${path}.NAME`);
  else yield path;
}

/** The settings of `text`, with `key` set to `value` (as YAML) in it. */
async function load(text: string, key?: string, value?: string): Promise<Settings> {
  const document = parse(text) ?? {};
  if (key !== undefined)
    setAt(document, key.split("."), parse((value ?? "").replaceAll("NAME", "name.example")));
  const { NAME, ...others } = document.upstreams ?? {};
  if (NAME !== undefined) document.upstreams = { ...others, "name.example": NAME };
  const file = join(await tempDirectory(), "granary.yaml");
  await writeFile(file, stringify(document));
  return await loadSettings(file, ENV);
}

function setAt(document: Record<string, unknown>, [first = "", ...rest]: string[], value: unknown): void {
  if (rest.length === 0) document[first] = value;
  else {
    document[first] ??= {};
    setAt(document[first] as Record<string, unknown>, rest, value);
  }
}

function upstreamIn(settings: Settings, wanted: string) {
  return settings.upstreams.find(({ name }) => name === wanted);
}

function codeIn(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
}
