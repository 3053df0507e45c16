/** Owns the lines of the settings (YAML) for what can be changed there alone. Pure. */

/** As a text of YAML takes it. @param {string} text */
function scalar(text) {
  const isPlain =
    /^[A-Za-z0-9][\w./@-]*(?::[\w.@-]+)*$/.test(text) &&
    !/^(?:[\d.]+|true|false|null|yes|no|on|off)$/i.test(text);
  return isPlain ? text : JSON.stringify(text);
}

/**
 * A warm-up; without a schedule it comes whenever one of its tags moves.
 * @param {{ readonly name: string, readonly references: readonly string[], readonly platforms: readonly string[], readonly schedule: string }} list
 */
export function warmUpLines({ name, references, platforms, schedule }) {
  return [
    "warm:",
    `  ${scalar(name)}:`,
    "    references:",
    ...references.map((reference) => `      - ${scalar(reference)}`),
    ...(platforms.length === 0 ? [] : [`    platforms: [${platforms.map(scalar).join(", ")}]`]),
    schedule === "" ? "    when: moved" : `    schedule: ${scalar(schedule)}`,
  ].join("\n");
}

/** How long what is new has to wait. @param {string} upstream @param {string} time such as 3d */
export function cooldownLines(upstream, time) {
  return ["upstreams:", `  ${scalar(upstream)}:`, `    cooldown: ${scalar(time)}`].join("\n");
}

/** Limits at some hours of the day. @param {{ readonly from: string, readonly to: string, readonly total: string }} hours */
export function bandwidthLines({ from, to, total }) {
  return [
    "bandwidth:",
    "  hours:",
    `    - from: "${from}"`,
    `      to: "${to}"`,
    `      total: ${total}`,
  ].join("\n");
}
