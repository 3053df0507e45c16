/** Owns a Docker engine of its own for a test, with Granary in `registry-mirrors`: the graph-driver pull path. */
import { ENGINE_PROGRAMS, startDockerEngine } from "./docker-engine.ts";
import type { ImageClient, ImageClientKind, ImageName } from "./image-client.ts";

export const dockerd: ImageClientKind<DockerClient> = {
  name: "dockerd",
  programs: ENGINE_PROGRAMS,
  start: startDockerd,
};

export type DockerClient = ImageClient & {
  /** `docker pull -a`: every tag of a repository; the pulled references. */
  pullAll(repository: string): Promise<string[]>;
  /** `docker rmi`: the next pull asks for all of it again. */
  forget(image: ImageName): Promise<void>;
};

async function startDockerd(cleanup: AsyncDisposableStack, port: number): Promise<DockerClient> {
  const { docker } = await startDockerEngine(cleanup, ["--registry-mirror", `http://127.0.0.1:${port}`]);
  return {
    pull: (image) => pull(docker, image),
    pullAll: async (repository) => {
      await docker("pull", "--all-tags", repository);
      const lines = await docker("images", "--format", "{{.Repository}}:{{.Tag}}");
      return lines.trim().split("\n");
    },
    forget: async ({ repository, tag }) => void (await docker("rmi", `${repository}:${tag}`)),
  };
}

async function pull(docker: (...args: string[]) => Promise<string>, { repository, tag }: ImageName) {
  await docker("pull", `${repository}:${tag}`);
  const [found] = JSON.parse(await docker("image", "inspect", `${repository}:${tag}`)) as {
    Id: string;
    RepoDigests: string[];
  }[];
  return { manifest: found?.RepoDigests[0]?.split("@")[1] ?? "", config: found?.Id ?? "" };
}
