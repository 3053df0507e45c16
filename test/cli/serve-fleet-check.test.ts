/** Shows what `granary serve --check` says of the fleet that the settings name, and that no login is ever in it. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { runMain } from "../support/run-main.ts";
import { tempDirectory } from "../support/temp-directory.ts";

const FILE = `fleet:
  node: a
  zone: hall
  database: "\${TEST_DATABASE}"
  bucket: { endpoint: "http://s3.lab:8333", name: stored, prefix: granary/, accessKey: key-word, secretKey: "\${TEST_SECRET}" }
  internal: { port: 5099, secret: "\${TEST_SECRET}" }
`;
const SECRET = `secret-word-${"x".repeat(32)}`;

async function check(text: string, database: string, ...args: string[]) {
  const cwd = await tempDirectory();
  await writeFile(join(cwd, "granary.yaml"), text);
  const ended = await runMain(["serve", "--config", "granary.yaml", "--check", ...args], {
    cwd,
    env: { TEST_DATABASE: database, TEST_SECRET: SECRET },
  });
  expect(`${ended.out}${ended.err}`).not.toMatch(/secret-word|key-word/);
  return ended;
}

test("it says of which fleet this would be a node", async () => {
  const database = "postgres://granary:secret-word@db.lab:5432,db2.lab/granary?sslmode=require";
  const { code, out } = await check(FILE, database);
  expect(code).toBe(0);
  expect(out.split("\n")).toContain(
    "It would be node a of a fleet in the zone hall: database db.lab:5432,db2.lab, bucket stored below granary/ at s3.lab:8333, other nodes on port 5099.",
  );
  const json = await check(FILE, database, "--json");
  expect(JSON.parse(json.out)).toMatchObject({
    fleet: {
      ...{ node: "a", zone: "hall", database: "db.lab:5432,db2.lab" },
      bucket: { name: "stored", prefix: "granary/", endpoint: "s3.lab:8333" },
      internal: { port: 5099, host: null },
    },
  });
});

test.each([
  ["postgres://granary:a%40secret-word@[::1]:5433/x", "database [::1]:5433,"],
  ["postgresql://db.lab", "database db.lab,"],
  ["postgres://granary:12/secret-word@db.lab/x", "database at an address that is not shown,"],
  ["postgres://granary:a@secret-word@db.lab/x", "database at an address that is not shown,"],
  ["postgres://db.lab/x?user=a&password=b@secret-word", "database at an address that is not shown,"],
])("of the address %s it shows the hosts, or nothing", async (database, shown) => {
  const { out, code } = await check(FILE, database);
  expect([code, out]).toEqual([0, expect.stringContaining(shown)]);
});
