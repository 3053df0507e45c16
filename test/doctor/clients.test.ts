/** Shows that the doctor finds the ways in which clients go past their mirror without a word, each made on purpose in their real files. */
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { describe, expect, onTestFinished, test } from "vitest";
import { checkClient } from "../../src/doctor/client-checks.ts";
import type { Observation } from "../../src/doctor/observation.ts";
import { refusalOf } from "../../src/doctor/refusal-of.ts";
import { GranaryError } from "../../src/errors.ts";
import { parseReference } from "../../src/oci/reference.ts";
import type { CheckedKind } from "../../src/setup/client-kinds.ts";
import { type MemoryServerOptions, serveMemory } from "../support/serve-memory.ts";
import { tempDirectory } from "../support/temp-directory.ts";
import { caPem, serverCert, serverKey } from "../support/throwaway-tls.ts";

/** Nothing listens there. */
const CLOSED = "127.0.0.1:9";

async function granary(options: MemoryServerOptions = {}): Promise<string> {
  const server = await serveMemory(options);
  onTestFinished(() => server.close());
  return `127.0.0.1:${server.hub}`;
}

const TLS = { cert: serverCert, key: serverKey };
const LOGIN = { username: "lab", password: "hunter2" };

/** A client's folder with these files, and what is said of it; \`main\` is the file that setup edits. */
async function said(
  kind: CheckedKind,
  main: string,
  files: Readonly<Record<string, string>>,
): Promise<Observation[]> {
  const directory = await tempDirectory();
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), text.replaceAll("HERE", directory));
    if (name.startsWith("bin/")) await chmod(join(directory, name), 0o755);
  }
  return await checkClient(
    kind,
    { file: join(directory, main), env: { PATH: join(directory, "bin") } },
    undefined,
  );
}

async function wrong(
  kind: CheckedKind,
  main: string,
  files: Readonly<Record<string, string>>,
): Promise<string> {
  const findings = await said(kind, main, files);
  return findings
    .filter(({ level }) => level === "wrong")
    .map(({ text, todo = "" }) => `${text} ${todo}`)
    .join("\n");
}

describe("docker", () => {
  const daemon = (...mirrors: string[]) => ({
    "daemon.json": JSON.stringify({ "registry-mirrors": mirrors }),
  });
  const engine = (...mirrors: string[]) => ({
    "bin/docker": `#!/bin/sh\necho '${JSON.stringify(mirrors)}'\n`,
  });

  test("a mirror that the engine uses is well", async () => {
    const host = await granary();
    const files = { ...daemon(`http://${host}`), ...engine(`http://${host}/`) };
    expect(await wrong("docker", "daemon.json", files)).toBe("");
  });

  test("no file, and no mirror in it", async () => {
    for (const files of [{}, { "daemon.json": "{}" }, { "daemon.json": "" }]) {
      expect(await wrong("docker", "daemon.json", files)).toMatch(
        /No registry-mirrors are set.* granary setup docker prints/,
      );
    }
  });

  test("a file that the engine cannot read", async () => {
    expect(await wrong("docker", "daemon.json", { "daemon.json": "{ // x\n}" })).toMatch(
      /daemon\.json cannot be read: it is not JSON: line 1.*does not start with it/,
    );
  });

  test("a file that the engine has not loaded", async () => {
    const host = await granary();
    expect(await wrong("docker", "daemon.json", { ...daemon(`http://${host}`), ...engine() })).toMatch(
      /The engine has not loaded .*daemon\.json: it uses no mirror.* sudo systemctl reload docker/,
    );
  });

  test("a mirror that is closed", async () => {
    expect(await wrong("docker", "daemon.json", daemon(`http://${CLOSED}`))).toMatch(
      /The mirror http:\/\/127\.0\.0\.1:9 is closed: nothing listens there.*goes past it to Docker Hub without a word/,
    );
  });

  test("a mirror that asks for a login", async () => {
    const host = await granary({ login: LOGIN });
    expect(await wrong("docker", "daemon.json", daemon(`http://${host}`))).toMatch(
      /asks for a login, and this client has none/,
    );
  });

  test("https where Granary speaks http, and http where it speaks https", async () => {
    const plain = await granary();
    expect(await wrong("docker", "daemon.json", daemon(`https://${plain}`))).toMatch(
      /cannot be used: .*does not speak TLS/,
    );
    const secure = await granary({ tls: TLS });
    expect(await wrong("docker", "daemon.json", daemon(`http://${secure}`))).toMatch(
      /None of the mirrors is a Granary/,
    );
  });

  test("an authority that Docker does not have, and has", async () => {
    const host = await granary({ tls: TLS });
    const mirror = daemon(`https://${host}`);
    expect(await wrong("docker", "daemon.json", mirror)).toMatch(
      /signed by an authority that is not known here/,
    );
    expect(await wrong("docker", "daemon.json", { ...mirror, [`certs.d/${host}/ca.crt`]: caPem })).toBe("");
  });

  test("another mirror that is asked first", async () => {
    const host = await granary();
    expect(await wrong("docker", "daemon.json", daemon(`http://${CLOSED}`, `http://${host}`))).toMatch(
      /127\.0\.0\.1:9 is asked before Granary/,
    );
  });
});

describe("containerd", () => {
  const CONFIG =
    'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "HERE/certs.d"\n';
  const hosts = (host: string, more = "") =>
    `server = "https://registry-1.docker.io"\n[host."${host}"]\n${more}`;
  const placed = (text: string, more: Readonly<Record<string, string>> = {}) => ({
    "config.toml": CONFIG,
    "certs.d/docker.io/hosts.toml": text,
    ...more,
  });

  test("a host that answers is well, also for all registries at once, and with a login in its header", async () => {
    const host = await granary();
    expect(await wrong("containerd", "config.toml", placed(hosts(`http://${host}`)))).toBe("");
    const all = { "config.toml": CONFIG, "certs.d/_default/hosts.toml": hosts(`http://${host}`) };
    expect(await wrong("containerd", "config.toml", all)).toBe("");
    const login = await granary({ login: LOGIN });
    const header = `[host."http://${login}".header]\nAuthorization = "Basic bGFiOmh1bnRlcjI="\n`;
    expect(await wrong("containerd", "config.toml", placed(hosts(`http://${login}`, header)))).toBe("");
  });

  test("config_path that is not set", async () => {
    const host = await granary();
    const files = placed(hosts(`http://${host}`), { "config.toml": "version = 2\n" });
    expect(await wrong("containerd", "config.toml", files)).toMatch(
      /config_path is not set in .*config\.toml/,
    );
  });

  test("config_path with several folders", async () => {
    const host = await granary();
    const config = CONFIG.replace('certs.d"', 'certs.d:/etc/docker/certs.d"');
    expect(
      await wrong("containerd", "config.toml", placed(hosts(`http://${host}`), { "config.toml": config })),
    ).toMatch(/containerd\/containerd#12808/);
  });

  test("folders and files that are called otherwise than they are looked for", async () => {
    const host = await granary();
    for (const name of ["certs.d/registry-1.docker.io/hosts.toml", "certs.d/index.docker.io/hosts.toml"]) {
      const found = await wrong("containerd", "config.toml", {
        "config.toml": CONFIG,
        [name]: hosts(`http://${host}`),
      });
      expect(found).toMatch(
        /is looked for by nobody: the folder of a registry is called as its images are, docker\.io/,
      );
      expect(found).toMatch(/There is no .*certs\.d\/docker\.io\/hosts\.toml/);
    }
    const file = { "config.toml": CONFIG, "certs.d/docker.io/host.toml": hosts(`http://${host}`) };
    expect(await wrong("containerd", "config.toml", file)).toMatch(
      /host\.toml is read by nobody: the file must be called hosts\.toml/,
    );
  });

  test("a host without a scheme, which means https, and one that is closed", async () => {
    const host = await granary();
    expect(await wrong("containerd", "config.toml", placed(hosts(host)))).toMatch(/does not speak TLS/);
    expect(await wrong("containerd", "config.toml", placed(hosts(`http://${CLOSED}`)))).toMatch(
      /is closed: nothing listens there/,
    );
  });

  test("a host that may not resolve tags", async () => {
    const host = await granary();
    expect(
      await wrong("containerd", "config.toml", placed(hosts(`http://${host}`, 'capabilities = ["pull"]\n'))),
    ).toMatch(/has no "resolve" among its capabilities/);
  });

  test("hosts.toml that is broken, which containerd skips, and one without a host", async () => {
    expect(await wrong("containerd", "config.toml", placed("[host.\n"))).toMatch(
      /hosts\.toml cannot be read: it is not TOML: line 1/,
    );
    expect(await wrong("containerd", "config.toml", placed('server = "https://x"\n'))).toMatch(
      /names no host/,
    );
  });

  test("an authority that is missing, beside the file and by its full path", async () => {
    const host = await granary({ tls: TLS });
    expect(await wrong("containerd", "config.toml", placed(hosts(`https://${host}`)))).toMatch(
      /authority that is not known/,
    );
    for (const ca of ["ca.crt", "HERE/certs.d/docker.io/ca.crt"]) {
      const files = placed(hosts(`https://${host}`, `ca = "${ca}"\n`), { "certs.d/docker.io/ca.crt": caPem });
      expect(await wrong("containerd", "config.toml", files)).toBe("");
    }
  });
});

describe("podman", () => {
  const MAIN = "registries.conf.d/granary.conf";
  const entry = (location: string, more = "", head = 'location = "docker.io"') =>
    `[[registry]]\n${head}\n[[registry.mirror]]\nlocation = "${location}"\n${more}`;

  test("an insecure mirror of plain http is well, and so is one with its authority", async () => {
    const host = await granary();
    expect(await wrong("podman", MAIN, { [MAIN]: entry(`${host}/docker.io`, "insecure = true\n") })).toBe("");
    const secure = await granary({ tls: TLS });
    const files = { [MAIN]: entry(`${secure}/docker.io`), [`certs.d/${secure}/ca.crt`]: caPem };
    expect(await wrong("podman", MAIN, files)).toBe("");
  });

  test("plain http without insecure", async () => {
    const host = await granary();
    expect(await wrong("podman", MAIN, { [MAIN]: entry(`${host}/docker.io`) })).toMatch(
      /does not speak TLS.*insecure = true/,
    );
  });

  test("a later file that has the same registry", async () => {
    const host = await granary();
    const files = {
      [MAIN]: entry(`${host}/docker.io`, "insecure = true\n"),
      "registries.conf.d/zz.conf": '[[registry]]\nlocation = "docker.io"\n',
    };
    expect(await wrong("podman", MAIN, files)).toMatch(
      /granary\.conf are not used: the entry docker\.io in .*zz\.conf is read after it/,
    );
  });

  test("a longer prefix, which counts alone", async () => {
    const host = await granary();
    const files = {
      [MAIN]: entry(`${host}/docker.io`, "insecure = true\n"),
      "registries.conf": '[[registry]]\nprefix = "docker.io/library"\nlocation = "docker.io/library"\n',
    };
    expect(await wrong("podman", MAIN, files)).toMatch(
      /the entry docker\.io\/library in .*registries\.conf has a longer prefix/,
    );
  });

  test("mirrors for digests alone, a registry that is blocked, a mirror of another registry", async () => {
    const host = await granary();
    const on = (head: string, path = "docker.io") => ({
      [MAIN]: entry(`${host}/${path}`, "insecure = true\n", head),
    });
    expect(await wrong("podman", MAIN, on('location = "docker.io"\nmirror-by-digest-only = true'))).toMatch(
      /only names with a digest/,
    );
    expect(await wrong("podman", MAIN, on('location = "docker.io"\nblocked = true'))).toMatch(
      /blocks docker\.io/,
    );
    expect(await wrong("podman", MAIN, on('location = "docker.io"', "quay.io"))).toMatch(
      /means "quay\.io" at Granary/,
    );
  });

  test("a file that is broken, with which every pull fails", async () => {
    expect(await wrong("podman", MAIN, { [MAIN]: "[[registry]\n" })).toMatch(
      /cannot be read: it is not TOML.*every pull fails/,
    );
    expect(await wrong("podman", MAIN, {})).toMatch(/No file names a mirror of docker\.io/);
  });
});

describe("clients that are looked at by their files", () => {
  test("k3s: a mirror that answers, one with the wrong scheme, none", async () => {
    const host = await granary();
    const on = (url: string) => ({ "registries.yaml": `mirrors:\n  docker.io:\n    endpoint: ["${url}"]\n` });
    expect(await wrong("k3s", "registries.yaml", on(`http://${host}`))).toBe("");
    expect(await wrong("k3s", "registries.yaml", on(`https://${host}`))).toMatch(/does not speak TLS/);
    expect(await wrong("k3s", "registries.yaml", {})).toMatch(/names no mirror of docker\.io/);
    expect(await wrong("k3s", "registries.yaml", { "registries.yaml": "a: [" })).toMatch(
      /cannot be read: it is not YAML/,
    );
  });

  test("buildkit: plain http only where it is said", async () => {
    const host = await granary();
    const mirror = `[registry."docker.io"]\nmirrors = ["${host}/docker.io"]\n`;
    expect(await wrong("buildkit", "buildkitd.toml", { "buildkitd.toml": mirror })).toMatch(
      /does not speak TLS/,
    );
    const files = { "buildkitd.toml": `${mirror}[registry."${host}"]\nhttp = true\n` };
    expect(await wrong("buildkit", "buildkitd.toml", files)).toBe("");
  });

  test("ollama: a proxy that is closed, one that answers, and none, which is no mistake", async () => {
    const host = await granary();
    const on = (url: string) => ({ "d/granary.conf": `[Service]\nEnvironment="HTTP_PROXY=${url}"\n` });
    expect(await wrong("ollama", "d/granary.conf", on(`http://${CLOSED}`))).toMatch(/is closed/);
    expect(await wrong("ollama", "d/granary.conf", on(`http://${host}`))).toBe("");
    expect(await wrong("ollama", "d/granary.conf", {})).toBe("");
  });
});

test("with a client that is wrong nothing is pulled, so that nothing goes past the cache", async () => {
  const directory = await tempDirectory();
  const pull = {
    image: "docker.io/library/x:latest",
    count: async () => ({ requests: 0, bytes: 0 }),
    pause: async () => {},
    refusal: async () => undefined,
  };
  const context = { file: join(directory, "daemon.json"), env: { PATH: directory } };
  const findings = await checkClient("docker", context, pull);
  expect(findings.map(({ text }) => text).join("\n")).toContain(
    "Nothing was pulled: mend what is wrong first.",
  );
});

describe("the proof by a pull", () => {
  /** A docker that says it pulls, and has the mirror that is asked for. */
  async function prove(
    counts: readonly number[],
    answer: string,
    looks: readonly number[] = [],
    failure?: GranaryError,
  ) {
    const server = await serveMemory();
    onTestFinished(() => server.close());
    server.mirror.failure = failure;
    const host = `127.0.0.1:${server.hub}`;
    const directory = await tempDirectory();
    await mkdir(join(directory, "bin"));
    const script = `#!/bin/sh\ncase "$1" in info) echo '["http://${host}/"]';; pull) ${answer};; *) exit 1;; esac\n`;
    await writeFile(join(directory, "bin/docker"), script, { mode: 0o755 });
    await writeFile(
      join(directory, "daemon.json"),
      JSON.stringify({ "registry-mirrors": [`http://${host}`] }),
    );
    const left = [...counts];
    const seen = [...looks];
    const count = async () => ({
      requests: left.length > 1 ? (left.shift() ?? 0) : (left[0] ?? 0),
      bytes: 10,
      looks: seen.shift(),
    });
    const image = "docker.io/library/hello-world:latest";
    const refusal = () => refusalOf(`http://${host}`, parseReference(image), {});
    const pull = { image, count, pause: async () => {}, refusal };
    const context = { file: join(directory, "daemon.json"), env: { PATH: join(directory, "bin") } };
    return (await checkClient("docker", context, pull)).at(-1);
  }

  test("that the server has counted", async () => {
    expect(await prove([3, 3, 8], "true")).toMatchObject({
      level: "good",
      text: expect.stringContaining("came through Granary ("),
    });
  });

  test("that went past it", async () => {
    expect(await prove([3, 3], "true")).toMatchObject({
      level: "wrong",
      text: expect.stringContaining("not a byte of it came through Granary"),
    });
  });

  test("of what the client has already, which is only looked at", async () => {
    expect(await prove([3, 3], "true", Array(30).fill(7))).toMatchObject({ level: "wrong" });
    expect(await prove([3, 3], "true", [7, ...Array(30).fill(8)])).toMatchObject({
      level: "note",
      text: expect.stringContaining("is in this client already"),
    });
  });

  test("that failed, with the client's own words", async () => {
    expect(await prove([3, 3], "echo 'no such image' >&2; exit 1")).toMatchObject({
      level: "wrong",
      text: expect.stringContaining("no such image"),
    });
  });

  test("that failed, because Granary refuses the image: Docker shows what Docker Hub said", async () => {
    const denied = new GranaryError("denied", "docker.io/library/hello-world is denied (by granary deny).");
    const answer = "echo 'Get https://registry-1.docker.io/v2/: refused' >&2; exit 1";
    expect(await prove([3, 3], answer, [], denied)).toEqual({
      area: "docker",
      level: "wrong",
      text: expect.stringContaining("registry-1.docker.io"),
      todo: "Granary says: docker.io/library/hello-world is denied (by granary deny).",
    });
  });
});
