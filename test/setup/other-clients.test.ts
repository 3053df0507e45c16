/** Shows that k3s, BuildKit, kind and Ollama are pointed at Granary in their own files, and brought back. */
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { variablesOf } from "../../src/setup/formats/unit.ts";
import { HUB, QUAY, setupWorld, target } from "./support.ts";

describe("setup k3s", () => {
  const FILE = "k3s/registries.yaml";

  test("makes registries.yaml, with authority and login where there are any", async () => {
    const world = await setupWorld("k3s", FILE);
    await world.setUp();
    expect(await world.read(FILE)).toBe(
      "mirrors:\n  docker.io:\n    endpoint:\n      - http://granary.lab:5000\n",
    );
    await world.setUp(
      target({ url: "https://granary.lab:5443", ca: "PEM", login: { username: "lab", password: "pw" } }),
    );
    expect(parse(await world.read(FILE))).toEqual({
      mirrors: { "docker.io": { endpoint: ["https://granary.lab:5443"] } },
      configs: {
        "granary.lab:5443": {
          tls: { ca_file: world.path("k3s/granary-ca.crt") },
          auth: { username: "lab", password: "pw" },
        },
      },
    });
    await world.undo();
    expect(await world.files()).toEqual([]);
  });

  test("keeps comments, order and other mirrors, and brings the file back to the byte", async () => {
    const before = `# by ansible
mirrors:
  "*":           # everything else
    endpoint: ["https://mirror.corp"]
  docker.io:
    endpoint:
    - https://mirror.corp   # first
    rewrite:
      "^library/(.*)": "hub/$1"
configs:
  mirror.corp:
    auth: {username: x, password: y}
`;
    const world = await setupWorld("k3s", FILE, { [FILE]: before });
    await world.setUp();
    const after = await world.read(FILE);
    for (const comment of ["# by ansible", "# everything else", "# first"]) expect(after).toContain(comment);
    expect(parse(after).mirrors["docker.io"]).toEqual({
      endpoint: ["http://granary.lab:5000", "https://mirror.corp"],
      rewrite: { "^library/(.*)": "hub/$1" },
    });
    await world.undo();
    expect(await world.read(FILE)).toBe(before);
  });

  test("fills keys that have no value", async () => {
    const world = await setupWorld("k3s", FILE, { [FILE]: "mirrors:\n  docker.io:\n" });
    await world.setUp();
    expect(parse(await world.read(FILE))).toEqual({
      mirrors: { "docker.io": { endpoint: ["http://granary.lab:5000"] } },
    });
    await world.undo();
    expect(await world.read(FILE)).toBe("mirrors:\n  docker.io:\n");
  });

  test("takes only its own endpoint back where others were added since", async () => {
    const world = await setupWorld("k3s", FILE);
    await world.setUp();
    await world.write(FILE, `${await world.read(FILE)}      - https://mirror.corp\n`);
    await world.undo();
    expect(parse(await world.read(FILE))).toEqual({
      mirrors: { "docker.io": { endpoint: ["https://mirror.corp"] } },
    });
  });

  test("leaves what is no YAML, or has a key twice, alone", async () => {
    for (const text of ["mirrors: [\n", "a: 1\na: 2\n", "- a\n", "a: 1\n---\nb: 2\n"]) {
      const world = await setupWorld("k3s", FILE, { [FILE]: text });
      await expect(world.setUp()).rejects.toThrow(/registries\.yaml is left as it is/);
      expect(await world.read(FILE)).toBe(text);
    }
  });
});

describe("setup buildkit", () => {
  const FILE = "buildkit/buildkitd.toml";

  test("puts itself before the mirrors that are there, and says how it is reached", async () => {
    const before = 'debug = true\n[registry."docker.io"]\n  mirrors = ["mirror.corp"] # ours\n';
    const world = await setupWorld("buildkit", FILE, { [FILE]: before });
    await world.setUp(target({ registries: [HUB, QUAY] }));
    expect(await world.read(FILE)).toBe(`debug = true
[registry."docker.io"]
  mirrors = ["granary.lab:5000/docker.io", "mirror.corp"] # ours

[registry."quay.io"]
mirrors = ["granary.lab:5000/quay.io"]

[registry."granary.lab:5000"]
http = true
`);
    await world.undo();
    expect(await world.read(FILE)).toBe(before);
  });

  test("with https it names the authority, and not http", async () => {
    const world = await setupWorld("buildkit", FILE);
    await world.setUp(target({ url: "https://granary.lab:5443", ca: "PEM" }));
    const text = await world.read(FILE);
    expect(text).toContain(
      `[registry."granary.lab:5443"]\nca = ["${world.path("buildkit/granary-ca.crt")}"]\n`,
    );
    expect(text).not.toContain("http = ");
  });
});

describe("setup kind", () => {
  const FILE = "lab/kind.yaml";

  test("makes a cluster's configuration, and a folder that its nodes see", async () => {
    const world = await setupWorld("kind", FILE);
    await world.setUp();
    expect(parse(await world.read(FILE))).toEqual({
      kind: "Cluster",
      apiVersion: "kind.x-k8s.io/v1alpha4",
      nodes: [
        {
          role: "control-plane",
          extraMounts: [
            {
              hostPath: world.path("lab/granary-certs.d"),
              containerPath: "/etc/containerd/certs.d",
              readOnly: true,
            },
          ],
        },
      ],
      containerdConfigPatches: [
        'version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\n  config_path = "/etc/containerd/certs.d"\n',
      ],
    });
    expect(await world.read("lab/granary-certs.d/docker.io/hosts.toml")).toContain(
      '[host."http://granary.lab:5000"]',
    );
    await world.undo();
    expect(await world.files()).toEqual([]);
  });

  test("every node of a cluster that is there gets the folder, and keeps its own mounts", async () => {
    const before = `kind: Cluster # ours
apiVersion: kind.x-k8s.io/v1alpha4
nodes:
- role: control-plane
  extraMounts:
  - hostPath: /data
    containerPath: /data
- role: worker
`;
    const world = await setupWorld("kind", FILE, { [FILE]: before });
    await world.setUp();
    const { nodes } = parse(await world.read(FILE));
    expect(nodes[0].extraMounts).toHaveLength(2);
    expect(nodes[1].extraMounts).toHaveLength(1);
    expect(await world.read(FILE)).toContain("kind: Cluster # ours\n");
    const again = await world.plan();
    expect(again.files.every(({ now, next }) => now === next)).toBe(true);
    await world.write(FILE, `${await world.read(FILE)}name: mine\n`);
    await world.undo();
    expect(parse(await world.read(FILE))).toEqual({ ...parse(before), name: "mine" });
  });

  test.each([
    ["aliases", "x: &w\n  role: worker\nnodes:\n  - *w\n  - *w\n"],
    ["an anchor that another node uses", "nodes:\n  - &w\n    role: worker\n  - *w\n"],
    ["a text", "nodes: two\n"],
  ])("leaves a cluster alone whose nodes are %s: none of them is lost", async (_, before) => {
    const world = await setupWorld("kind", FILE, { [FILE]: before });
    await expect(world.setUp(target({ url: "http://10.0.0.5:5000" }))).rejects.toThrow(
      /nodes are not all written out/,
    );
    expect(await world.read(FILE)).toBe(before);
    expect(await world.files()).toEqual([FILE]);
  });

  test("a folder that is mounted there already gets the files, and stays mounted", async () => {
    const folder = "lab/certs.d";
    const world = await setupWorld("kind", FILE);
    const before = `nodes:
- role: control-plane
  extraMounts:
  - hostPath: ${world.path(folder)}
    containerPath: /etc/containerd/certs.d
- role: worker
`;
    await world.write(FILE, before);
    await world.setUp();
    const { nodes } = parse(await world.read(FILE));
    for (const { extraMounts } of nodes) expect(extraMounts[0].hostPath).toBe(world.path(folder));
    expect(await world.read(`${folder}/docker.io/hosts.toml`)).toContain("http://granary.lab:5000");
    await world.undo();
    expect(parse(await world.read(FILE))).toEqual(parse(before));
    expect(await world.files()).toEqual([FILE]);
  });

  test.each([
    [
      "mirrors in the older form, with which no node would start",
      `containerdConfigPatches:\n- |\n  [plugins."io.containerd.grpc.v1.cri".registry.mirrors."docker.io"]\n    endpoint = ["http://kind-registry:5000"]\n`,
      /mirrors in the older form .*move them to hosts\.toml files/,
    ],
    [
      "a patch that is no TOML",
      "containerdConfigPatches:\n- '[plugins'\n",
      /kind\.yaml is left as it is: .*TOML/,
    ],
    [
      "different folders at that place",
      "nodes:\n- extraMounts:\n  - {hostPath: /a, containerPath: /etc/containerd/certs.d}\n- extraMounts:\n  - {hostPath: /b, containerPath: /etc/containerd/certs.d}\n",
      /mounts \/a and \/b at .*mount one folder there/,
    ],
    [
      "a folder whose place depends on where kind is started",
      "nodes:\n- extraMounts:\n  - {hostPath: ./a, containerPath: /etc/containerd/certs.d}\n",
      /by its whole path/,
    ],
  ])("refuses %s", async (_, before, why) => {
    const world = await setupWorld("kind", FILE, { [FILE]: before });
    await expect(world.setUp()).rejects.toThrow(why);
    expect(await world.files()).toEqual([FILE]);
    expect(await world.read(FILE)).toBe(before);
  });

  test("says that the loopback address is the node's own inside of a node", async () => {
    const world = await setupWorld("kind", FILE);
    const { notes } = await world.plan(target({ url: "http://127.0.0.1:5000" }));
    expect(notes.join()).toContain("Inside of a node 127.0.0.1 is the node itself");
  });
});

describe("setup ollama", () => {
  const FILE = "ollama.service.d/granary.conf";

  test("makes a drop-in with the proxy for plain http, and removes it again", async () => {
    const world = await setupWorld("ollama", FILE);
    await world.setUp(target({ url: "http://granary.lab:11435" }));
    expect(await world.read(FILE)).toBe('[Service]\nEnvironment="HTTP_PROXY=http://granary.lab:11435"\n');
    await world.undo();
    expect(await world.files()).toEqual([]);
  });

  test("adds its line to the service's section of a drop-in that is there, and takes only that back", async () => {
    const before =
      "[Unit]\nAfter=network.target\n\n[Service]\nEnvironment=OLLAMA_HOST=0.0.0.0\n\n[Install]\nWantedBy=x\n";
    const world = await setupWorld("ollama", FILE, { [FILE]: before });
    await world.setUp(target({ url: "http://granary.lab:11435" }));
    expect(await world.read(FILE)).toBe(
      before.replace("0.0.0.0\n", '0.0.0.0\nEnvironment="HTTP_PROXY=http://granary.lab:11435"\n'),
    );
    await world.write(FILE, (await world.read(FILE)).replace("WantedBy=x", "WantedBy=y"));
    await world.undo();
    expect(await world.read(FILE)).toBe(before.replace("WantedBy=x", "WantedBy=y"));
  });

  test("says when a drop-in with a later name sets the same variable", async () => {
    const world = await setupWorld("ollama", FILE);
    await world.write(
      "ollama.service.d/override.conf",
      '[Service]\nEnvironment="A=b" "HTTP_PROXY=http://proxy.corp"\n',
    );
    expect((await world.plan()).notes.join("\n")).toMatch(
      /override\.conf sets HTTP_PROXY as well, and counts/,
    );
  });

  test("refuses a listener with a login", async () => {
    const world = await setupWorld("ollama", FILE);
    await expect(world.plan(target({ wantsLogin: true }))).rejects.toThrow(
      /Ollama cannot use .* asks for a login/,
    );
  });

  test.each([
    ["single quotes", "Environment='HTTP_PROXY=http://granary.lab:11435'"],
    ["quotes around the value alone", 'Environment=HTTP_PROXY="http://granary.lab:11435"'],
    ["lines that go on", "Environment=A=1 \\\n# why\n  HTTP_PROXY=http://granary.lab:11435 \\\n  B=2"],
  ])("sees by %s that the variable is there already", async (_, line) => {
    const world = await setupWorld("ollama", FILE, { [FILE]: `[Service]\n${line}\n` });
    const { files } = await world.plan(target({ url: "http://granary.lab:11435" }));
    expect(files.map(({ now, next }) => now === next)).toEqual([true]);
  });

  test("leaves a file alone whose last line goes on nowhere: ours would become a part of it", async () => {
    const before = "[Service]\nEnvironment=A=1 \\\n";
    const world = await setupWorld("ollama", FILE, { [FILE]: before });
    await expect(world.setUp(target({ url: "http://granary.lab:11435" }))).rejects.toThrow(
      /ends with a backslash/,
    );
    expect(await world.read(FILE)).toBe(before);
  });

  test("reads variables as systemd does", () => {
    const text =
      '[Service]\nEnvironment=A=1 "B=two words"\n[Install]\nEnvironment=C=3\n[Service]\nEnvironment="A=%%2"\n';
    expect(Object.fromEntries(variablesOf(text))).toEqual({ A: "%2", B: "two words" });
    expect(variablesOf(`${text}Environment=\n`).size).toBe(0);
  });
});
