/** Owns what SIGHUP does to a running server: certificates and password files are read again, and one line of the log says so. */
import { type FileNews, type Rereading, readAgain, rereading } from "../config/file-news.ts";
import { passwordFrom, readListenerTls } from "../config/files.ts";
import type { ListenerSettings, Settings } from "../config/settings.ts";
import type { Serving, ServingListener } from "../http/serve.ts";
import type { Log } from "../observe/log.ts";
import type { OpenedMirror } from "../open.ts";

/** Each run reads everything anew; what is in use changes only where a file holds something new that can be used. */
export function fileReloader(
  settings: Settings,
  serving: Pick<Serving, "listeners">,
  mirror: Pick<OpenedMirror, "readFilesAgain">,
  log: Log,
): () => Promise<void> {
  const files = serving.listeners.flatMap((listener, index) =>
    filesOf(listener, settings.listeners[index], index),
  );
  return async () => {
    const news = [...(await readAgain(files)), ...(await mirror.readFilesAgain())];
    tell(news, log);
  };
}

function filesOf(
  listener: ServingListener,
  settings: ListenerSettings | undefined,
  index: number,
): Rereading[] {
  const key = `listeners.${index}`;
  const { files = {}, tls, login } = settings ?? {};
  const found: Rereading[] = [];
  if (tls !== undefined) {
    const use = (next: typeof tls | undefined) => next !== undefined && listener.renewTls(next);
    found.push(rereading<typeof tls | undefined>(key, tls, () => readListenerTls(files, key), use));
  }
  if (login !== undefined && files.passwordFile !== undefined) {
    const { username, password } = login;
    const read = async () => (await passwordFrom(`${key}.login`, files)) ?? password;
    const use = (next: string) => listener.renewLogin({ username, password: next });
    found.push(rereading(`${key}.login`, password, read, use));
  }
  return found;
}

function tell(news: readonly FileNews[], log: Log): void {
  const renewed = [...new Set(news.filter(({ isNew }) => isNew).map(({ key }) => key))];
  const problems = news.flatMap(({ problem = [] }) => problem);
  const sentence = "certificates and password files were read again; for other settings, restart";
  if (problems.length === 0) log.info({ signal: "SIGHUP", renewed }, sentence);
  else
    log.warn({ signal: "SIGHUP", renewed, problems }, `${sentence}; what cannot be used is kept as it was`);
}
