/** Owns how numbers and times are written for people. Pure. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/**
 * A size in three digits and its unit, apart, for who sets them in different sizes.
 * @param {number} bytes
 * @returns {readonly [string, string]}
 */
export function sizeParts(bytes) {
  let value = Math.abs(bytes);
  let unit = 0;
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit += 1;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return [`${bytes < 0 ? "−" : ""}${value.toFixed(digits)}`, UNITS[unit] ?? "PB"];
}

/** @param {number} bytes */
export function size(bytes) {
  return sizeParts(bytes).join(" ");
}

/** @param {number} bytesPerSecond */
export function rate(bytesPerSecond) {
  return `${size(bytesPerSecond)}/s`;
}

/** @param {number} part @param {number} whole */
export function percent(part, whole) {
  if (whole <= 0) return "";
  // What is not whole must not look so.
  const value = Math.min(part >= whole ? 100 : 99, Math.floor((part / whole) * 100));
  return `${value} %`;
}

const STEPS = /** @type {const} */ ([
  [86_400, "d", 3_600, "h"],
  [3_600, "h", 60, "min"],
  [60, "min", 1, "s"],
]);

/**
 * "12 s", "3 min 20 s", "2 h 5 min", "3 d 4 h".
 * @param {number} ms
 */
export function duration(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  for (const [large, name, little, littleName] of STEPS) {
    if (seconds < large) continue;
    const rest = Math.floor((seconds % large) / little);
    return rest === 0
      ? `${Math.floor(seconds / large)} ${name}`
      : `${Math.floor(seconds / large)} ${name} ${rest} ${littleName}`;
  }
  return `${seconds} s`;
}

/**
 * "just now", "5 min ago", "3 d ago".
 * @param {number | undefined} at epoch ms
 * @param {number} now epoch ms
 */
export function ago(at, now) {
  if (at === undefined) return "";
  const ms = now - at;
  if (ms < 10_000) return "just now";
  return `${duration(ms).split(" ").slice(0, 2).join(" ")} ago`;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });

/**
 * The time of day; with its date where that is not today.
 * @param {number} at epoch ms
 * @param {number} now epoch ms
 */
export function moment(at, now) {
  return new Date(at).toDateString() === new Date(now).toDateString() ? CLOCK.format(at) : DATE.format(at);
}

/**
 * "1 image", "3 images".
 * @param {number} count
 * @param {string} one
 * @param {string} [many]
 */
export function counted(count, one, many = `${one}s`) {
  return `${count.toLocaleString("en")} ${count === 1 ? one : many}`;
}

/**
 * The name as people write it: Docker Hub's own without the registry, and "library/" left out.
 * @param {{ readonly upstream: string, readonly repository: string, readonly tag?: string | null | undefined }} of
 */
export function nameOf({ upstream, repository, tag }) {
  const end = tag === undefined || tag === null ? "" : `:${tag}`;
  if (upstream === "docker.io") return `${repository.replace(/^library\//, "")}${end}`;
  if (upstream === "registry.ollama.ai") return `ollama:${repository.replace(/^library\//, "")}${end}`;
  return `${upstream}/${repository}${end}`;
}

/** @param {string} digest */
export function shortDigest(digest) {
  return digest.replace(/^(sha\d+:[0-9a-f]{12}).*$/, "$1");
}
