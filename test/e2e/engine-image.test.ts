/** Shows that a real Docker engine loads what writeImage makes, and that its images, and what it saves, open as they are. */
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type CreatedImage, writeImage } from "../../src/client/archives/create-image.ts";
import { openArchive } from "../../src/client/archives/open-archive.ts";
import { openEngineImage } from "../../src/client/archives/open-engine-image.ts";
import { formatReference } from "../../src/oci/reference.ts";
import { type DockerEngine, ENGINE_PROGRAMS, startDockerEngine } from "./support/docker-engine.ts";
import { makeLayerTars } from "./support/layer-tars.ts";
import { contentOf } from "./support/opened-content.ts";
import { describeWith } from "./support/required-programs.ts";
import { scratchDirectory } from "./support/scratch-directory.ts";

const NAME = "granary.example/org/app:v1";

describeWith([...ENGINE_PROGRAMS, "tar"], "a Docker engine", () => {
  const house = new AsyncDisposableStack();
  let engine: DockerEngine;
  let place: string;
  let made: CreatedImage;

  beforeAll(async () => {
    engine = await startDockerEngine(house);
    place = await scratchDirectory(house, "images");
    const [lower, upper] = await makeLayerTars(place);
    const output = join(place, "made.tar");
    // Equal layers: such an engine saves the second as a symbolic link to the first.
    made = await writeImage([lower, upper, lower], { name: NAME, platform: "linux/amd64", output });
    await engine.docker("load", "--input", output);
  });
  afterAll(() => house.disposeAsync());

  /** What any way to the image has to give. */
  const wanted = () => {
    const layers = made.layers.map(({ digest }) => digest);
    return { id: made.id, platform: { os: "linux", architecture: "amd64" }, layers, diffIds: layers };
  };

  test("loads an image that was made from tars, with tag, platform and layers", async () => {
    const [image] = JSON.parse(await engine.docker("image", "inspect", NAME)) as object[];
    expect(image).toMatchObject({
      Id: made.id,
      RepoTags: [NAME],
      Os: "linux",
      Architecture: "amd64",
      RootFS: { Layers: wanted().layers },
    });
  });

  test("gives its image by name and by ID over its socket", async () => {
    for (const name of [NAME, made.id, made.id.slice(7, 19)]) {
      const opened = await openEngineImage(name, { socket: engine.socket });
      expect(await contentOf(opened)).toMatchObject(wanted());
    }
    const { source, reference } = await openEngineImage(NAME, { socket: engine.socket });
    expect(formatReference(reference)).toContain(`${NAME}@sha256:`);
    await source.close();
  });

  test("has no image that was never loaded, by name or by ID", async () => {
    for (const name of ["granary.example/org/app:v2", "nothing", `sha256:${"0".repeat(64)}`]) {
      await expect(openEngineImage(name, { socket: engine.socket })).rejects.toMatchObject({
        code: "not-found",
      });
    }
  });

  test("saves archives that open, also with several images and a layer behind a link", async () => {
    await engine.docker("import", join(place, "upper.tar"), "other:v2");
    const [one, two] = [join(place, "one.tar"), join(place, "two.tar")];
    await engine.docker("save", "--output", one, NAME);
    expect(await contentOf(await openArchive(one))).toMatchObject(wanted());
    await engine.docker("save", "--output", two, NAME, "other:v2");
    await expect(openArchive(two)).rejects.toMatchObject({ message: expect.stringContaining("other:v2") });
    expect(await contentOf(await openArchive(two, { name: NAME }))).toMatchObject(wanted());
    const other = await contentOf(await openArchive(two, { name: "docker.io/library/other:v2" }));
    expect(other.layers).toEqual(other.diffIds);
    expect(other.id).toBe((await engine.docker("image", "inspect", "-f", "{{.Id}}", "other:v2")).trim());
  });
});
