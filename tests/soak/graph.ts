/*
 * Draws lines over time as an SVG, in panels one below the other, each with titled axes.
 */

export interface Line {
  name: string;
  color: string;
  /** One value for each time; null leaves a gap in the line. */
  values: (number | null)[];
}

export interface Panel {
  /** Title of the vertical axis, with the unit. */
  title: string;
  lines: Line[];
}

export interface Graph {
  title: string;
  /** Title of the horizontal axis, with the unit. */
  timeTitle: string;
  times: number[];
  panels: Panel[];
}

const WIDTH = 960;
const PANEL_HEIGHT = 200;
const LEFT = 80;
const RIGHT = 20;
const TOP = 40;
const GAP = 44;
const TICKS = 4;

export function drawGraph({ title, timeTitle, times, panels }: Graph): string {
  const height = TOP + panels.length * (PANEL_HEIGHT + GAP) + 16;
  const end = ceiling(Math.max(...times, 0));
  const body = panels.map((panel, n) => drawPanel(panel, times, end, top(n)));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="100%" height="100%" fill="white"/>`,
    text(LEFT, 22, title, 'font-size="15" font-weight="bold"'),
    ...body,
    text((LEFT + WIDTH - RIGHT) / 2, height - 8, timeTitle, 'text-anchor="middle"'),
    "</svg>\n",
  ].join("\n");
}

function top(n: number): number {
  return TOP + n * (PANEL_HEIGHT + GAP);
}

function drawPanel({ title, lines }: Panel, times: number[], end: number, y: number): string {
  const highest = ceiling(Math.max(...lines.flatMap(({ values }) => values.map(Number)), 0));
  const bottom = y + PANEL_HEIGHT;
  const across = (time: number) => LEFT + (time / end) * (WIDTH - LEFT - RIGHT);
  const up = (value: number) => bottom - (value / highest) * PANEL_HEIGHT;
  const ticks = Array.from({ length: TICKS + 1 }, (_, n) => n / TICKS);
  const middle = y + PANEL_HEIGHT / 2;
  return [
    ...ticks.map((part) => {
      const at = round(up(part * highest));
      const line = `<path d="M${LEFT} ${at}H${WIDTH - RIGHT}" stroke="#ddd"/>`;
      return line + text(LEFT - 6, at + 4, label(part * highest), 'text-anchor="end"');
    }),
    ...ticks.map((part) =>
      text(round(across(part * end)), bottom + 16, label(part * end), 'text-anchor="middle"'),
    ),
    text(20, middle, title, `text-anchor="middle" transform="rotate(-90 20 ${middle})"`),
    ...lines.map(({ color, values }) => {
      const heights = values.map((value) => (value === null ? null : up(value)));
      const d = pathOf(times.map(across), heights);
      return `<path d="${d}" fill="none" stroke="${color}" stroke-width="1.5"/>`;
    }),
    ...lines.map(({ name, color }, n) => text(LEFT + 8 + n * 200, y + 14, name, `fill="${color}"`)),
  ].join("\n");
}

/** Returns the path of a line, with gaps where values are null. */
function pathOf(xs: number[], ys: (number | null)[]): string {
  let isGap = true;
  return ys
    .map((y, n) => {
      if (y === null) {
        isGap = true;
        return "";
      }
      const step = `${isGap ? "M" : "L"}${round(xs[n] ?? 0)} ${round(y)}`;
      isGap = false;
      return step;
    })
    .join("");
}

/** Returns the end of an axis: the smallest round number that is not below the value. */
function ceiling(value: number): number {
  if (value <= 0) return 1;
  const unit = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 5, 10].map((n) => n * unit).find((n) => n >= value) ?? value;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function label(value: number): string {
  return String(Number(value.toPrecision(3)));
}

function text(x: number, y: number, content: string, attributes = ""): string {
  return `<text x="${x}" y="${y}" ${attributes}>${Bun.escapeHTML(content)}</text>`;
}
