/** Owns what `granary serve` says on a terminal of how clients are pointed to a listener. The clients' documentation says the rest. */

/** One clause for a line that ends with the name of `upstream`, which the listener at `url` serves; empty where there is no usual client. */
export function clientHint(upstream: string, url: string): string {
  if (upstream === "docker.io") return `: "registry-mirrors": ["${url}"] in /etc/docker/daemon.json`;
  if (upstream === "registry.ollama.ai") return `: ollama pull ${ollamaHost(url)}/library/MODEL`;
  return "";
}

/** Ollama speaks https to every host. With `--insecure` it speaks plain http, also where only https is understood (makeRequest in its server/images.go). */
function ollamaHost(url: string): string {
  const { protocol, host } = new URL(url);
  return protocol === "https:" ? host : `--insecure ${host}`;
}
