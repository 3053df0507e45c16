/** Shows where each system finds the certificate of the authority after an install, and that an undo leaves nothing of it. */
import { execFile } from "node:child_process";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { describe, expect, test } from "vitest";
import { findProgram } from "../../../src/doctor/run-program.ts";
import { runMain } from "../../support/run-main.ts";
import { caPem, serverCert } from "../../support/throwaway-tls.ts";
import { type CaWorld, caWorld, fakeRoot, HOSTS } from "./ca-world.ts";

/** Where the tests run on another system, it is not there. */
const program = await findProgram("update-ca-certificates", process.env);

async function filesBelow(root: string): Promise<string[]> {
  const all = await readdir(root, { recursive: true, withFileTypes: true });
  const paths = all.filter((each) => !each.isDirectory()).map((each) => join(each.parentPath, each.name));
  return paths
    .map((path) => path.slice(root.length))
    .filter((path) => path !== "/etc/os-release")
    .sort();
}

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

/** Installs with `--root`, expects that it went well. */
async function installed({ granary }: CaWorld, root: string, ...args: readonly string[]) {
  const { code, out, err } = await granary("install", "--root", root, ...args);
  expect([code, err]).toEqual([0, ""]);
  return out;
}

describe("the list of a machine", () => {
  test.each([
    ["Debian", "ID=debian\n", "/usr/local/share/ca-certificates/granary.crt", "update-ca-certificates"],
    [
      "Ubuntu",
      'ID=ubuntu\nID_LIKE="debian"\n',
      "/usr/local/share/ca-certificates/granary.crt",
      "update-ca-certificates",
    ],
    ["Alpine", "ID=alpine\n", "/usr/local/share/ca-certificates/granary.crt", "update-ca-certificates"],
    ["Fedora", "ID=fedora\n", "/etc/pki/ca-trust/source/anchors/granary.crt", "update-ca-trust"],
    [
      "Rocky",
      'ID="rocky"\nID_LIKE="rhel centos fedora"\n',
      "/etc/pki/ca-trust/source/anchors/granary.crt",
      "update-ca-trust",
    ],
  ])("of %s is found by itself, written, and brought back", async (_, release, path, program) => {
    const world = await caWorld();
    const root = await fakeRoot(release);
    const out = await installed(world, root);
    expect(out).toContain(`Made ${root}${path}.\n`);
    expect(out).toContain(`Run there: ${program}\n`);
    expect(out).toContain("SHA-256");
    expect(await readFile(join(root, path), "utf8")).toBe(world.certificate);
    expect(await installed(world, root)).toContain(`${root}${path} has it already.`);
    expect(await installed(world, root, "--undo")).toContain(`Removed ${root}${path}.\n`);
    expect(await filesBelow(root)).toEqual([]);
    expect(await installed(world, root, "--undo")).toContain("Nothing to undo");
  });

  test.skipIf(program === undefined)(
    "of Debian is taken in by its own program, so that curl's list has it",
    async () => {
      const world = await caWorld();
      const root = await fakeRoot();
      await installed(world, root);
      await mkdir(join(root, "etc/ssl/certs"), { recursive: true });
      await writeFile(join(root, "empty.conf"), "");
      const local = join(root, "usr/local/share/ca-certificates");
      await writeFile(join(local, "another.crt"), caPem);
      const run = (...more: readonly string[]) =>
        promisify(execFile)(program ?? "", [
          "--certsconf",
          join(root, "empty.conf"),
          "--localcertsdir",
          local,
          "--etccertsdir",
          join(root, "etc/ssl/certs"),
          "--hooksdir",
          root,
          ...more,
        ]);
      await run();
      const list = () => readFile(join(root, "etc/ssl/certs/ca-certificates.crt"), "utf8");
      expect(await list()).toContain(world.certificate);
      await installed(world, root, "--undo");
      await run("--fresh");
      expect(await list()).toBe(caPem);
    },
  );

  test("of a system that is not known is asked for", async () => {
    const world = await caWorld();
    const root = await fakeRoot("ID=plan9\n");
    expect(await world.granary("install", "--root", root)).toMatchObject({
      code: 2,
      err: expect.stringContaining("--system"),
    });
    expect(await filesBelow(root)).toEqual([]);
  });

  test("a certificate that was renewed takes the place of the one before, and undo still leaves nothing", async () => {
    const [before, after] = [await caWorld(), await caWorld()];
    const root = await fakeRoot();
    await installed(before, root);
    expect(await installed(after, root)).toContain("Changed ");
    const path = join(root, "usr/local/share/ca-certificates/granary.crt");
    expect(await readFile(path, "utf8")).toBe(after.certificate);
    await installed(after, root, "--undo");
    expect(await filesBelow(root)).toEqual([]);
  });
});

describe("docker", () => {
  test("has a file for each host, beside what lies there already, and undo removes only ours", async () => {
    const world = await caWorld();
    const root = await fakeRoot();
    await write(join(root, "etc/docker/certs.d/ghcr.io/ca.crt"), "mine\n");
    const out = await installed(world, root, "--system", "docker");
    for (const host of HOSTS)
      expect(await readFile(join(root, "etc/docker/certs.d", host, "granary-ca.crt"), "utf8")).toBe(
        world.certificate,
      );
    expect(out).toContain("For Docker Hub");
    await installed(world, root, "--system", "docker", "--undo");
    expect(await filesBelow(root)).toEqual(["/etc/docker/certs.d/ghcr.io/ca.crt"]);
  });

  test("for a registry that is named with its port", async () => {
    const world = await caWorld();
    const root = await fakeRoot();
    const out = await installed(world, root, "--system", "docker", "--registry", "registry.lab:5000");
    expect(await filesBelow(root)).toEqual([
      "/etc/docker/certs.d/registry.lab:5000/granary-ca.crt",
      "/etc/docker/certs.d/registry.lab:5000/granary-ca.crt.granary-undo",
    ]);
    expect(out).not.toContain("For Docker Hub");
  });
});

describe("containerd", () => {
  test("has a file for each host, where its configuration says so, and a sentence for a host with a hosts.toml", async () => {
    const world = await caWorld();
    const root = await fakeRoot();
    await write(
      join(root, "etc/containerd/config.toml"),
      'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = "/etc/hosts.d"\n',
    );
    await write(join(root, "etc/hosts.d/ghcr.io/hosts.toml"), 'server = "https://ghcr.io"\n');
    const out = await installed(
      world,
      root,
      "--system",
      "containerd",
      "--registry",
      "ghcr.io",
      "registry.lab:5000",
    );
    const place = join(root, "etc/hosts.d/ghcr.io");
    expect(out).toContain(
      `${place}/hosts.toml is there and left as it is: for its server, write ca = "${place}/granary-ca.crt" at its top.`,
    );
    expect(await readFile(join(root, "etc/hosts.d/registry.lab_5000_/granary-ca.crt"), "utf8")).toBe(
      world.certificate,
    );
    await installed(world, root, "--system", "containerd", "--undo");
    expect(await filesBelow(root)).toEqual([
      "/etc/containerd/config.toml",
      "/etc/hosts.d/ghcr.io/hosts.toml",
    ]);
  });
});

test("a dry run says what would be done, as sentences and as JSON, and does nothing", async () => {
  const world = await caWorld();
  const root = await fakeRoot();
  const out = await installed(world, root, "--dry-run");
  expect(out).toContain(
    `Would make ${root}/usr/local/share/ca-certificates/granary.crt.\nWould run: update-ca-certificates\n`,
  );
  const json = JSON.parse(await installed(world, root, "--dry-run", "--json"));
  expect(json).toMatchObject({
    system: "debian",
    written: false,
    dryRun: true,
    files: [{ state: "new", text: world.certificate }],
    commands: [["update-ca-certificates"]],
    certificate: { hosts: HOSTS },
  });
  expect(await filesBelow(root)).toEqual([]);
});

describe("is refused, with nothing written", () => {
  test.each([
    ["a certificate of a server", ["--file", "$FILE"], serverCert, /one of a server/],
    ["a file that holds none", ["--file", "$FILE"], "hello", /holds no certificate/],
    [
      "registries for a whole machine",
      ["--registry", "ghcr.io"],
      "",
      /--registry goes with --system docker or containerd/,
    ],
    [
      "a registry that leads out of the folder",
      ["--system", "docker", "--registry", "../../x"],
      "",
      /--registry takes the host of a registry/,
    ],
    ["a certificate for an undo", ["--undo", "--file", "$FILE"], "", /leave --file out/],
  ])("%s", async (_, args, text, sentence) => {
    const world = await caWorld();
    const root = await fakeRoot();
    const file = join(world.folder, "file.pem");
    await writeFile(file, text);
    const all = args.map((arg) => arg.replace("$FILE", file));
    const { code, out, err } = await world.granary("install", "--root", root, ...all);
    expect([code, out]).toEqual([2, ""]);
    expect(err).toMatch(sentence);
    expect(await filesBelow(root)).toEqual([]);
  });
});

test("from a file, without any Granary", async () => {
  const { caFile, certificate } = await caWorld();
  const root = await fakeRoot();
  const { code } = await runMain(["ca", "install", "--file", caFile, "--root", root]);
  expect(code).toBe(0);
  expect(await readFile(join(root, "usr/local/share/ca-certificates/granary.crt"), "utf8")).toBe(certificate);
});
