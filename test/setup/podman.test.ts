/** Shows that Podman's and skopeo's registries get their mirror in the file that counts, before the mirrors that are there. */
import { expect, test } from "vitest";
import { HUB, QUAY, setupWorld, target } from "./support.ts";

const DROP_IN = "containers/registries.conf.d/granary.conf";

test("makes a drop-in of its own, and removes it again", async () => {
  const world = await setupWorld("podman", DROP_IN);
  await world.setUp(target({ registries: [HUB, QUAY] }));
  expect(await world.read(DROP_IN)).toBe(`[[registry]]
location = "docker.io"

[[registry.mirror]]
location = "granary.lab:5000/docker.io"
insecure = true

[[registry]]
location = "quay.io"

[[registry.mirror]]
location = "granary.lab:5000/quay.io"
insecure = true
`);
  await world.undo();
  expect(await world.files()).toEqual([]);
});

const OTHER = `unqualified-search-registries = ["docker.io"]

[[registry]]
prefix = "docker.io" # all of it
location = "docker.io"

# the company's
[[registry.mirror]]
location = "mirror.corp/hub"

[[registry]]
location = "quay.io"
`;

test("a registry that stands in another file gets the mirror there, because of two entries only the last counts", async () => {
  const later = "containers/registries.conf.d/zz-corp.conf";
  const world = await setupWorld("podman", DROP_IN, { [later]: OTHER });
  await world.setUp();
  expect(await world.read(later)).toBe(
    OTHER.replace(
      'location = "docker.io"\n\n# the',
      'location = "docker.io"\n\n[[registry.mirror]]\nlocation = "granary.lab:5000/docker.io"\ninsecure = true\n\n# the',
    ),
  );
  expect(await world.files()).not.toContain(DROP_IN);
  await world.undo();
  expect(await world.read(later)).toBe(OTHER);
  expect(await world.files()).toEqual([later]);
});

test("registries.conf itself counts as well", async () => {
  const main = "containers/registries.conf";
  const world = await setupWorld("podman", DROP_IN, { [main]: OTHER });
  await world.setUp(target({ registries: [HUB, { name: "ghcr.io", server: "https://ghcr.io" }] }));
  expect(await world.read(main)).toContain("granary.lab:5000/docker.io");
  expect(await world.read(DROP_IN)).toContain("granary.lab:5000/ghcr.io");
  expect(await world.read(DROP_IN)).not.toContain("docker.io");
  await world.undo();
  expect(await world.files()).toEqual([main]);
  expect(await world.read(main)).toBe(OTHER);
});

test("an edited drop-in keeps what was added when the setup is undone", async () => {
  const world = await setupWorld("podman", DROP_IN);
  await world.setUp();
  const text = await world.read(DROP_IN);
  await world.write(DROP_IN, `${text}\n# mine\n[[registry]]\nlocation = "reg.lab"\n`);
  await world.undo();
  expect(await world.read(DROP_IN)).toContain('# mine\n[[registry]]\nlocation = "reg.lab"\n');
  expect(await world.read(DROP_IN)).not.toContain("granary");
});

test("from http to https the mirror is no longer insecure, and its authority is put beside the others", async () => {
  const world = await setupWorld("podman", DROP_IN);
  await world.setUp();
  await world.setUp(target({ url: "https://granary.lab:5000", ca: "PEM" }));
  expect(await world.read(DROP_IN)).not.toContain("insecure");
  expect(await world.read("containers/certs.d/granary.lab:5000/ca.crt")).toBe("PEM\n");
  await world.undo();
  expect(await world.files()).toEqual([]);
});

test("with a login it says that each user logs in, and no password is written", async () => {
  const world = await setupWorld("podman", DROP_IN);
  const on = target({ login: { username: "lab", password: "hunter2" } });
  expect((await world.plan(on)).notes.join()).toContain("podman login granary.lab:5000");
  await world.setUp(on);
  expect(await world.read(DROP_IN)).not.toContain("hunter2");
});

test("version 1 of the format and inline entries are left alone", async () => {
  const old = await setupWorld("podman", DROP_IN, {
    [DROP_IN]: "[registries.search]\nregistries = ['docker.io']\n",
  });
  await expect(old.setUp()).rejects.toThrow(/granary\.conf is left as it is: it is of version 1/);
  const inline = await setupWorld("podman", DROP_IN, {
    [DROP_IN]: 'registry = [{ location = "docker.io" }]\n',
  });
  await expect(inline.setUp()).rejects.toThrow(/is left as it is: the entry of docker\.io has a form/);
});
