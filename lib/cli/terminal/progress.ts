import { formatSize } from "../../util/sizes.ts";
import { plainText } from "../../util/plain-text.ts";
import {
  type Colour,
  cutStart,
  NAME_COLUMNS,
  padColumns,
  paint,
  type Terminal,
} from "./terminal.ts";

/** The state of one progress bar. */
export interface BarState {
  label: string;
  /** The number of bytes that are done so far. */
  done: number;
  /** The total number of bytes; null while it is unknown. */
  total: number | null;
  /**
   * The share of the work that is done, from 0 to 1. It is shown while the total number of bytes is unknown.
   */
  share?: number;
  /** How many of a set's files are done. Undefined for a single file, and until the set is listed. */
  files?: { done: number; total: number };
  bytesPerSecond: number | null;
  etaSeconds: number | null;
  /** A word such as "queued", shown in place of the remaining time. null: the time is shown. */
  note: string | null;
  /** A detail after the note, such as what a queued download waits for. */
  reason?: string;
  tone: "active" | "good" | "bad";
}

/** The shortest time between two redraws, in ms. */
const REDRAW_INTERVAL = 100;

/** Progress, in percent, after which another line is written to a file or pipe. */
const PLAIN_STEP = 10;

/** The key of the total bar, for the sum of all downloads. */
const TOTAL_KEY = "\0total";

/** The maximum width of a label is the screen's width divided by this number, but at least NAME_COLUMNS. */
const LABEL_SHARE = 4;

/** The maximum number of terminal columns of a note with its detail. */
const ENDING_COLUMNS = 50;

const TRACK_COLUMNS = { min: 8, max: 40 };
const DROPPED_FIRST = ["size", "rate", "track", "files", "ending"] as const;
/**
 * The parts of a set's bar, in the order in which a narrow screen drops them. A set's size is more useful
 * than its rate.
 */
const DROPPED_FIRST_OF_SET = ["rate", "size", "track", "files", "ending"] as const;
const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const COLOURS = { active: "cyan", good: "green", bad: "red" } as const satisfies Record<
  BarState["tone"],
  Colour
>;

/** Returns the percentage that is done, rounded down, so that 100 means all. null means unknown. */
function percentOf({ done, total, share }: BarState): number | null {
  if (total === null) return share === undefined ? null : Math.floor(share * 100);
  return total === 0 ? 100 : Math.min(100, Math.floor((done / total) * 100));
}

/** Formats a duration: `"0:07"`, `"12:00"`, `"1:02:03"`. */
export function formatDuration(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  const twoDigits = (value: number) => String(value % 60).padStart(2, "0");
  return minutes < 60
    ? `${minutes}:${twoDigits(whole)}`
    : `${Math.floor(minutes / 60)}:${twoDigits(minutes)}:${twoDigits(whole)}`;
}

/** Returns the note and its detail as one text; null where there is no note. */
function noteOf({ note, reason }: BarState): string | null {
  return note === null ? null : plainText(reason === undefined ? note : `${note}: ${reason}`);
}

/**
 * Returns the parts of a bar's line. Each part has the same width in all states, so that bars are aligned.
 */
function partsOf(state: BarState) {
  const { total, bytesPerSecond, etaSeconds, files } = state;
  const ofTotal = total === null ? "" : ` / ${formatSize(total)}`;
  const timeLeft = etaSeconds === null ? "" : `ETA ${formatDuration(etaSeconds)}`;
  const fullCount = `${files?.total}/${files?.total} files`;
  return {
    files: files ? `${files.done}/${files.total} files`.padStart(fullCount.length) : "",
    track: " ".repeat(TRACK_COLUMNS.min),
    percent: `${percentOf(state) ?? "–"}%`.padStart(4),
    size: `${formatSize(state.done)}${ofTotal}`.padStart(23),
    rate: (bytesPerSecond === null ? "" : `${formatSize(bytesPerSecond)}/s`).padStart(12),
    ending: padColumns(shorten(noteOf(state) ?? timeLeft, ENDING_COLUMNS), 9),
  };
}

function renderTrack(state: BarState, columns: number, coloured: boolean): string {
  const share = (percentOf(state) ?? 0) / 100;
  const filled = Math.floor(share * columns);
  // Without colours, the filled and the empty part of the bar need different characters.
  return (
    paint("━".repeat(filled), COLOURS[state.tone], coloured) +
    paint((coloured ? "━" : "─").repeat(columns - filled), "dim", coloured)
  );
}

/**
 * Draws one progress bar on a line of at most `width` terminal columns. If space is short, parts are dropped:
 * first the size (for a set, the rate), last the note. The percentage always stays.
 */
export function renderBar(state: BarState, width: number, coloured: boolean): string {
  const parts = partsOf(state);
  const label = plainText(state.label);
  const names = ["track", "percent", "files", "size", "rate", "ending"] as const;
  let shown: (keyof typeof parts)[] = names.filter((name) => name !== "files" || state.files);
  const room = () =>
    width -
    shown.reduce((sum, name) => sum + 2 + Bun.stringWidth(parts[name]), Bun.stringWidth(label));
  for (const name of state.files ? DROPPED_FIRST_OF_SET : DROPPED_FIRST) {
    if (room() >= 0) break;
    shown = shown.filter((other) => other !== name);
  }
  const trackColumns = Math.min(TRACK_COLUMNS.max, TRACK_COLUMNS.min + room());
  const labelColumns = Bun.stringWidth(label) + Math.min(0, room());
  const drawn = {
    ...parts,
    track: renderTrack(state, Math.max(0, trackColumns), coloured),
    ending: state.note === null ? parts.ending : paint(parts.ending, COLOURS[state.tone], coloured),
  };
  const texts = [shorten(label, labelColumns), ...shown.map((name) => drawn[name])];
  return Bun.sliceAnsi(texts.filter(Boolean).join("  "), 0, Math.max(0, width));
}

/** Cuts a text to a number of terminal columns. A "…" replaces the rest. */
function shorten(text: string, columns: number): string {
  return columns < 1 ? "" : Bun.sliceAnsi(text, 0, columns, "…");
}

/** Returns the state of a bar as one line for a pipe or a file. */
export function renderPlainLine(state: BarState): string {
  const { percent, files, size, rate } = partsOf(state);
  const measures = percentOf(state) === null ? [] : [percent, files, size, rate];
  const texts = [...measures, noteOf(state) ?? ""].map((text) => text.trim());
  return [plainText(state.label), ...texts].filter(Boolean).join("  ");
}

/**
 * Shows progress bars, each with a key. A terminal redraws the bars in place. Other outputs get a line from
 * time to time. {@link Progress.stop} ends the drawing and restores the cursor, and so does an exit of the
 * program.
 */
export class Progress {
  private readonly bars = new Map<string, BarState>();
  /** The total bar, for the sum of all downloads; null for none. */
  private total: BarState | null = null;
  /**
   * The width of each line of the last drawing, in terminal columns. The next drawing replaces these lines.
   */
  private drawnWidths: number[] = [];
  private lastDrawing = -Infinity;
  private timer: ReturnType<typeof setTimeout> | null = null;
  /**
   * The state of each bar when a line was last written for it. The map has the same keys as `bars`, and
   * {@link TOTAL_KEY}. Used only if the output is no terminal.
   */
  private readonly steps = new Map<string, string>();
  /**
   * The last line that was written for each bar, with the same keys as `steps`. Used only if the output is no
   * terminal.
   */
  private readonly lines = new Map<string, string>();
  private readonly showCursor = () => this.terminal.write(SHOW_CURSOR);

  constructor(private readonly terminal: Terminal) {
    if (!terminal.live) return;
    terminal.write(HIDE_CURSOR);
    process.once("exit", this.showCursor);
  }

  /** Shows a bar, or updates the bar with the same key. */
  set(key: string, state: BarState): void {
    this.bars.set(key, state);
    if (this.terminal.live) this.drawSoon();
    else this.writeSteps(key, state);
  }

  /**
   * Shows the total bar, for the sum of all downloads, below the other bars. At the end, only the total bar
   * stays on a terminal's screen.
   */
  setTotal(state: BarState): void {
    this.total = state;
    if (this.terminal.live) this.drawSoon();
    else this.writeSteps(TOTAL_KEY, state);
  }

  /**
   * Ends the drawing. The total bar stays on a terminal's screen; if there is none, all other bars stay.
   * Other outputs get the last line of the total bar.
   */
  stop(): void {
    if (!this.terminal.live) {
      if (this.total) this.writeLine(TOTAL_KEY, this.total);
      return;
    }
    if (this.timer) clearTimeout(this.timer);
    this.draw(this.total ? [] : [...this.bars.values()]);
    this.showCursor();
    process.off("exit", this.showCursor);
  }

  private writeSteps(key: string, state: BarState): void {
    const step = Math.floor((percentOf(state) ?? 0) / PLAIN_STEP);
    const stepState = `${step} ${state.tone} ${state.reason ?? ""}`;
    if (this.steps.get(key) === stepState) return;
    this.steps.set(key, stepState);
    this.writeLine(key, state);
  }

  /** Writes the line of a bar, unless it equals the last line that was written for this key. */
  private writeLine(key: string, state: BarState): void {
    const line = renderPlainLine(state);
    if (this.lines.get(key) === line) return;
    this.lines.set(key, line);
    this.terminal.write(`${line}\n`);
  }

  private drawSoon(): void {
    const wait = this.lastDrawing + REDRAW_INTERVAL - performance.now();
    this.timer ??= setTimeout(() => this.draw(this.fittingBars()), Math.max(0, wait));
  }

  /** Returns as many bars as fit on the screen, unfinished ones first. */
  private fittingBars(): BarState[] {
    const bars = [...this.bars.values()];
    const lines = Math.max(1, this.terminal.rows() - (this.total ? 2 : 1));
    if (bars.length <= lines) return bars;
    const active = bars.filter(({ tone }) => tone === "active");
    return [...active, ...bars.filter(({ tone }) => tone !== "active")].slice(0, lines);
  }

  private draw(singleBars: BarState[]): void {
    const bars = this.total ? [...singleBars, this.total] : singleBars;
    this.timer = null;
    this.lastDrawing = performance.now();
    const columns = this.terminal.columns();
    // A line that is wider than the resized terminal takes several rows.
    const rows = this.drawnWidths.reduce(
      (sum, width) => sum + Math.max(1, Math.ceil(width / columns)),
      0,
    );
    const labels = bars.map(({ label }) => plainText(label));
    const maxLabelWidth = Math.max(...labels.map((label) => Bun.stringWidth(label)));
    // Long labels are cut to leave space for the bar.
    const labelWidth = Math.min(
      maxLabelWidth,
      Math.max(NAME_COLUMNS, Math.floor(columns / LABEL_SHARE)),
    );
    const lines = bars.map((bar, index) => {
      const label = padColumns(cutStart(labels[index] ?? "", labelWidth), labelWidth);
      // One column stays free, as some terminals wrap a line that fills the whole width.
      return renderBar({ ...bar, label }, columns - 1, this.terminal.colour);
    });
    this.drawnWidths = lines.map((line) => Bun.stringWidth(line));
    const up = rows > 0 ? `\x1b[${rows}A` : "";
    this.terminal.write(`\r${up}\x1b[J${lines.map((line) => `${line}\n`).join("")}`);
  }
}
