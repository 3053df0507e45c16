/** Owns how a command line is written so that a shell takes each word as it is meant. Pure. */

/** @param {string} text */
function shellWord(text) {
  return /^[\w./:@%+=,-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/**
 * One command line; words that are undefined or empty are left out.
 * @param {(string | undefined)[]} words
 */
export function commandLine(...words) {
  return words
    .filter((word) => word !== undefined && word !== "")
    .map((word) => shellWord(/** @type {string} */ (word)))
    .join(" ");
}

/**
 * A command line that reads `text` from its standard input.
 * @param {string} command
 * @param {string} text
 */
export function commandWithInput(command, text) {
  const lines = text.split(/\r?\n/);
  let end = "END";
  while (lines.includes(end)) end += "_";
  return `${command} <<'${end}'\n${lines.join("\n").replace(/\n+$/, "")}\n${end}`;
}

/**
 * The platforms and other names in a field, apart by spaces, commas or lines.
 * @param {string} text
 */
export function wordsIn(text) {
  return text.split(/[\s,]+/).filter(Boolean);
}
