/** Owns the registries.conf that makes Granary the mirror of Docker Hub for Podman, skopeo and buildah. */
import { writeFile } from "node:fs/promises";
import { join } from "node:path";

/** Writes the file into `directory` and returns its path. */
export async function writeRegistriesConf(directory: string, port: number): Promise<string> {
  const path = join(directory, "registries.conf");
  const text = `[[registry]]
prefix = "docker.io"
location = "docker.io"

[[registry.mirror]]
location = "127.0.0.1:${port}/docker.io"
insecure = true
`;
  await writeFile(path, text);
  return path;
}
