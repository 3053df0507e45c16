/**
 * Owns how the screen of a terminal becomes an SVG: what tmux captured with its colours, as text that can be selected. It knows the
 * colours and weights that Granary uses, and leaves any other escape sequence out.
 */

/** Width of a character, height of a line, and what is left around them: pixels. */
const CELL = { width: 8.43, height: 19 };
const PADDING = 16;
const BAR = 34;

const BACKGROUND = "#161b22";
const TEXT = "#e6edf3";
const COLOURS: Readonly<Record<number, string>> = {
  30: "#8b949e",
  31: "#ff7b72",
  32: "#7ee787",
  33: "#e3b341",
  34: "#79c0ff",
  35: "#d2a8ff",
  36: "#76e3ea",
  37: "#e6edf3",
  90: "#8b949e",
};

type Style = { readonly colour: string; readonly isBold: boolean; readonly isDim: boolean };
type Run = { readonly column: number; readonly text: string; readonly style: Style };

const PLAIN: Style = { colour: TEXT, isBold: false, isDim: false };

export type Screen = { readonly title: string; readonly lines: readonly string[] };

/** Screens one below the other, `columns` wide. */
export function pictureOf(screens: readonly Screen[], columns: number, description: string): string {
  const width = Math.ceil(columns * CELL.width + 2 * PADDING);
  let top = 0;
  const drawn = screens.map((screen) => {
    const height = BAR + screen.lines.length * CELL.height + PADDING;
    const text = drawScreen(screen, { top, width, height });
    top += height + PADDING;
    return text;
  });
  const height = top - PADDING;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="${escaped(description)}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="14">`,
    ...drawn,
    "</svg>\n",
  ].join("\n");
}

type Box = { readonly top: number; readonly width: number; readonly height: number };

function drawScreen({ title, lines }: Screen, { top, width, height }: Box): string {
  const buttons = ["#ff5f57", "#febc2e", "#28c840"].map(
    (colour, index) => `  <circle cx="${20 + 20 * index}" cy="${top + 17}" r="6" fill="${colour}"/>`,
  );
  return [
    `  <rect y="${top}" width="${width}" height="${height}" rx="8" fill="${BACKGROUND}"/>`,
    ...buttons,
    `  <text x="${width / 2}" y="${top + 22}" fill="#8b949e" font-size="13" text-anchor="middle">${escaped(title)}</text>`,
    ...lines.map((line, index) => drawLine(line, top + BAR + (index + 0.75) * CELL.height)),
  ].join("\n");
}

/** Every run stands at its own column, so that a wider or narrower font on the reader's machine moves nothing. */
function drawLine(line: string, y: number): string {
  const spans = runsOf(line).map(({ column, text, style }) => {
    const x = (PADDING + column * CELL.width).toFixed(1);
    const length = ([...text].length * CELL.width).toFixed(1);
    const weight = style.isBold ? ' font-weight="700"' : "";
    const dim = style.isDim ? ' opacity="0.65"' : "";
    return `<tspan x="${x}" textLength="${length}" fill="${style.colour}"${weight}${dim}>${escaped(text)}</tspan>`;
  });
  return `  <text y="${y.toFixed(1)}" xml:space="preserve">${spans.join("")}</text>`;
}

/** The stretches of one style, blanks at their ends left out. */
function runsOf(line: string): Run[] {
  let style = PLAIN;
  let column = 0;
  const runs: Run[] = [];
  // biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are what is read here.
  for (const [, codes, text = ""] of line.matchAll(/\x1b\[([\d;]*)m|([^\x1b]+)/g)) {
    if (codes !== undefined) style = styledBy(style, codes);
    for (const { 0: word, index } of text.matchAll(/\S+(?: \S+)*/g)) {
      runs.push({ column: column + [...text.slice(0, index)].length, text: word, style });
    }
    column += [...text].length;
  }
  return runs;
}

function styledBy(before: Style, codes: string): Style {
  let style = before;
  for (const code of codes.split(";").map(Number)) {
    const colour = COLOURS[code];
    if (code === 0) style = PLAIN;
    else if (code === 1) style = { ...style, isBold: true };
    else if (code === 2) style = { ...style, isDim: true };
    else if (code === 22) style = { ...style, isBold: false, isDim: false };
    else if (code === 39) style = { ...style, colour: TEXT };
    else if (colour !== undefined) style = { ...style, colour };
  }
  return style;
}

function escaped(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;");
}
