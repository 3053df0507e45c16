/** Shows that a Docker engine's daemon.json is edited as a careful person would, whatever is in it, and brought back. */
import { chmod, lstat, mkdir, readFile, stat, symlink, writeFile } from "node:fs/promises";
import { describe, expect, test } from "vitest";
import { setupWorld, target } from "./support.ts";

const MIRROR = "http://granary.lab:5000";

describe("setup docker", () => {
  test("makes daemon.json where there is none, and undo removes it with the folders that were made", async () => {
    const world = await setupWorld("docker", "docker/daemon.json");
    await world.setUp();
    expect(await world.read("docker/daemon.json")).toBe(
      `{\n  "registry-mirrors": [\n    "${MIRROR}"\n  ]\n}\n`,
    );
    await world.undo();
    expect(await world.files()).toEqual([]);
    await expect(stat(world.path("docker"))).rejects.toThrow("ENOENT");
  });

  const found: Record<string, readonly [before: string, after: string]> = {
    "an empty file": ["", `{\n  "registry-mirrors": [\n    "${MIRROR}"\n  ]\n}\n`],
    "an empty object": ["{}\n", `{\n  "registry-mirrors": [\n    "${MIRROR}"\n  ]\n}\n`],
    "tabs, and a mirror that stays behind ours": [
      '{\n\t"log-driver": "journald",\n\t"registry-mirrors": [\n\t\t"https://mirror.gcr.io"\n\t]\n}\n',
      `{\n\t"log-driver": "journald",\n\t"registry-mirrors": [\n\t\t"${MIRROR}",\n\t\t"https://mirror.gcr.io"\n\t]\n}\n`,
    ],
    "four spaces": [
      '{\n    "debug": true\n}\n',
      `{\n    "debug": true,\n    "registry-mirrors": [\n        "${MIRROR}"\n    ]\n}\n`,
    ],
    "the line ends of Windows": [
      '{\r\n  "debug": true\r\n}\r\n',
      `{\r\n  "debug": true,\r\n  "registry-mirrors": [\r\n    "${MIRROR}"\r\n  ]\r\n}\r\n`,
    ],
    "a byte order mark and no line end": [
      '\uFEFF{"debug": true}',
      `\uFEFF{"debug": true,\n  "registry-mirrors": [\n    "${MIRROR}"\n  ]\n}\n`,
    ],
  };
  for (const [what, [before, after]] of Object.entries(found)) {
    test(`keeps the layout of ${what}, keeps a copy, does nothing twice and brings it back to the byte`, async () => {
      const world = await setupWorld("docker", "daemon.json", { "daemon.json": before });
      await world.setUp();
      expect(JSON.parse((await world.read("daemon.json")).replace("\uFEFF", ""))).toMatchObject({
        "registry-mirrors": expect.arrayContaining([MIRROR]),
      });
      if (what !== "a byte order mark and no line end") expect(await world.read("daemon.json")).toBe(after);
      expect(await world.read("daemon.json.before-granary")).toBe(before);
      const files = await world.files();
      const again = await world.plan();
      expect(again.files.every(({ now, next }) => now === next)).toBe(true);
      await world.setUp();
      expect(await world.files()).toEqual(files);
      expect(await world.read("daemon.json.before-granary")).toBe(before);
      await world.undo();
      expect(await world.read("daemon.json")).toBe(before);
      expect(await world.files()).toEqual(["daemon.json"]);
    });
  }

  test("a mirror that was there already is nobody's to take away", async () => {
    const before = `{"registry-mirrors": ["${MIRROR}"]}`;
    const world = await setupWorld("docker", "daemon.json", { "daemon.json": before });
    await world.setUp();
    await world.undo();
    expect(await world.read("daemon.json")).toBe(before);
    expect(await world.files()).toEqual(["daemon.json"]);
  });

  test("a mirror that is there with a slash at its end is there", async () => {
    const world = await setupWorld("docker", "daemon.json", {
      "daemon.json": `{"registry-mirrors": ["${MIRROR}/"]}\n`,
    });
    const { files } = await world.plan();
    expect(files.map(({ now, next }) => now === next)).toEqual([true]);
  });

  test("undo takes back only its own change where the file was edited since", async () => {
    const world = await setupWorld("docker", "daemon.json", { "daemon.json": '{\n  "debug": true\n}\n' });
    await world.setUp();
    const edited = (await world.read("daemon.json"))
      .replace('"debug": true', '"debug": false,\n  "log-driver": "local"')
      .replace(`"${MIRROR}"`, `"${MIRROR}",\n    "https://mirror.gcr.io"`);
    await world.write("daemon.json", edited);
    await world.undo();
    expect(JSON.parse(await world.read("daemon.json"))).toEqual({
      debug: false,
      "log-driver": "local",
      "registry-mirrors": ["https://mirror.gcr.io"],
    });
    expect(await world.files()).toEqual(["daemon.json"]);
  });

  test("another address takes the place of the one that an earlier setup wrote, and undo goes back before both", async () => {
    const before = '{\n  "registry-mirrors": ["https://mirror.gcr.io"]\n}\n';
    const world = await setupWorld("docker", "daemon.json", { "daemon.json": before });
    await world.setUp();
    await world.setUp(target({ url: "http://192.0.2.7:5000" }));
    expect(JSON.parse(await world.read("daemon.json"))["registry-mirrors"]).toEqual([
      "http://192.0.2.7:5000",
      "https://mirror.gcr.io",
    ]);
    await world.undo();
    expect(await world.read("daemon.json")).toBe(before);
  });

  test("keeps mode and owner, and a symbolic link stays one", async () => {
    const world = await setupWorld("docker", "etc/daemon.json");
    await mkdir(world.path("real"));
    await mkdir(world.path("etc"));
    await writeFile(world.path("real/daemon.json"), "{}\n");
    await chmod(world.path("real/daemon.json"), 0o640);
    await symlink("../real/daemon.json", world.path("etc/daemon.json"));
    const { uid, gid } = await stat(world.path("real/daemon.json"));
    await world.setUp();
    expect((await lstat(world.path("etc/daemon.json"))).isSymbolicLink()).toBe(true);
    expect(await stat(world.path("real/daemon.json"))).toMatchObject({ mode: 0o100640, uid, gid });
    expect(await stat(world.path("real/daemon.json.before-granary"))).toMatchObject({
      mode: 0o100640,
      uid,
      gid,
    });
    await world.undo();
    expect(await readFile(world.path("real/daemon.json"), "utf8")).toBe("{}\n");
  });

  test("a kill between what is kept and the file itself leaves a state from which both ways lead", async () => {
    const before = '{"debug": true}\n';
    const killed = async () => {
      const world = await setupWorld("docker", "daemon.json", { "daemon.json": before });
      await world.setUp();
      await world.write("daemon.json", before);
      await world.write(".daemon.json.granary-1", "a draft that nobody finished");
      return world;
    };
    const again = await killed();
    await again.setUp();
    expect(JSON.parse(await again.read("daemon.json"))).toEqual({
      debug: true,
      "registry-mirrors": [MIRROR],
    });
    await again.undo();
    expect(await again.read("daemon.json")).toBe(before);
    const undone = await killed();
    await undone.undo();
    expect([await undone.read("daemon.json"), await undone.files()]).toEqual([
      before,
      [".daemon.json.granary-1", "daemon.json"],
    ]);
  });

  test("a symbolic link to nothing is left as it is", async () => {
    const world = await setupWorld("docker", "etc/daemon.json");
    await mkdir(world.path("etc"));
    await symlink("../gone/daemon.json", world.path("etc/daemon.json"));
    await expect(world.setUp()).rejects.toThrow(/is a symbolic link to a file that is not there/);
    expect((await lstat(world.path("etc/daemon.json"))).isSymbolicLink()).toBe(true);
    expect(await world.files()).toEqual(["etc/daemon.json"]);
  });

  const broken: Record<string, readonly [text: string, problem: RegExp]> = {
    "a missing brace": ['{\n  "debug": true\n', /daemon\.json is left as it is: it is not JSON: line 3/],
    comments: [
      '{\n  // ours\n  "debug": true\n}\n',
      /is left as it is: it is not JSON: line 2: invalid comment token/,
    ],
    "a trailing comma": ['{\n  "debug": true,\n}\n', /is left as it is: it is not JSON: line 3/],
    "a list at the top": ["[]\n", /is left as it is: it is not a JSON object/],
    "a mirror that is no list": ['{"registry-mirrors": "x"}\n', /registry-mirrors is not a list there/],
    "a key twice": [
      '{"registry-mirrors": ["a"], "registry-mirrors": ["b"]}\n',
      /registry-mirrors cannot be changed there/,
    ],
  };
  for (const [what, [text, problem]] of Object.entries(broken)) {
    test(`leaves a file with ${what} alone, with one clear error`, async () => {
      const world = await setupWorld("docker", "daemon.json", { "daemon.json": text });
      await expect(world.setUp()).rejects.toThrow(problem);
      expect(await world.read("daemon.json")).toBe(text);
      expect(await world.files()).toEqual(["daemon.json"]);
    });
  }

  test("leaves bytes that are no text alone", async () => {
    const world = await setupWorld("docker", "daemon.json");
    await writeFile(world.path("daemon.json"), Buffer.from([0x7b, 0xff, 0xfe, 0x7d]));
    await expect(world.setUp()).rejects.toThrow(/daemon\.json is not text in UTF-8/);
  });

  test("refuses a listener with a login, because Docker has none to give to a mirror", async () => {
    const world = await setupWorld("docker", "daemon.json");
    await expect(world.setUp(target({ wantsLogin: true }))).rejects.toThrow(
      /Docker cannot use .* asks for a login/,
    );
    expect(await world.files()).toEqual([]);
  });

  test("with an authority of one's own, it goes where Docker looks for that of the mirror", async () => {
    const world = await setupWorld("docker", "daemon.json");
    await world.setUp(target({ url: "https://granary.lab:5443", ca: "PEM\n" }));
    expect(await world.read("certs.d/granary.lab:5443/ca.crt")).toBe("PEM\n");
    await world.undo();
    expect(await world.files()).toEqual([]);
    await expect(stat(world.path("certs.d"))).rejects.toThrow("ENOENT");
  });

  test("when the second file cannot be written, the first is brought back", async () => {
    const world = await setupWorld("docker", "daemon.json", {
      "daemon.json": "{}\n",
      "certs.d": "a file in the way\n",
    });
    await expect(world.setUp(target({ url: "https://granary.lab:5443", ca: "PEM\n" }))).rejects.toThrow(
      /certs\.d/,
    );
    expect(await world.read("daemon.json")).toBe("{}\n");
    expect(await world.files()).toEqual(["certs.d", "daemon.json"]);
  });
});
