import { arrange, byId, keepingFocus } from "../dom.ts";
import type { DeliveryBook, SiteRow } from "./delivery-book.ts";
import { timeWords } from "./delivery-words.ts";
import { showHead } from "./grid-head.ts";
import { type Columns, GridRow, ROW_PX } from "./grid-row.ts";

/** Number of rows that are drawn above and below the visible ones, for smooth scrolling. */
const MARGIN = 8;

/** Position of a cell in the grid, both numbers from 0. */
interface Place {
  row: number;
  column: number;
}

/**
 * The grid of a schedule's board: a row for each site, a column for each scheduled time, and a mark for each
 * delivery. Arrows, Home, End, Page Up and Page Down move the focus (with Ctrl to the edge), Enter opens the
 * details. Only visible rows are DOM elements, as there may be thousands.
 */
export class DeliveryGrid {
  readonly #scroll = byId("deliveries-scroll", HTMLElement);
  readonly #grid = byId("deliveries-grid", HTMLElement);
  readonly #head = byId("deliveries-head", HTMLElement);
  readonly #body = byId("deliveries-body", HTMLElement);
  /** The rows that are drawn at present, by client id. */
  #drawn = new Map<string, GridRow>();
  #rows: readonly SiteRow[] = [];
  #columns: Columns = { localTimes: [], words: [], width: 0 };
  /** The focused cell, by site and scheduled time instead of position, as rows may be reordered. */
  #active: { clientId: string; localTime: string } | null = null;
  /** The only cell that the Tab key reaches. */
  #tabStop: HTMLElement | undefined;

  constructor(
    private readonly book: DeliveryBook,
    private readonly onOpen: (localTime: string, clientId: string) => void,
  ) {
    this.#scroll.addEventListener("scroll", () => this.#draw());
    this.#grid.addEventListener("keydown", (event) => {
      if (event.altKey || event.metaKey || !this.#handleKey(event.key, event.ctrlKey)) return;
      event.preventDefault();
    });
    this.#grid.addEventListener("click", ({ target }) => {
      const cell = cellAt(target);
      const clientId = cell?.closest<HTMLElement>(".grid-row")?.dataset["clientId"];
      if (!cell || clientId === undefined) return;
      const localTime = this.#columns.localTimes[this.#drawn.get(clientId)?.columnOf(cell) ?? -1];
      if (localTime === undefined) return;
      this.#active = { clientId, localTime };
      this.#draw();
      this.#open();
    });
    this.#grid.addEventListener("pointerover", ({ target }) => {
      const cell = cellAt(target);
      if (cell) cell.title = cell.ariaLabel ?? "";
    });
    new ResizeObserver(() => this.#draw()).observe(this.#scroll);
  }

  /**
   * Draws the grid.
   * @param label name of the grid for screen readers
   * @param localTimes scheduled times, newest first
   */
  render(label: string, rows: readonly SiteRow[], localTimes: readonly string[]): void {
    const before = this.#columns;
    // Older times are appended as columns at the end. A newer time moves all columns, so all rows are drawn
    // anew.
    const isMoved = before.localTimes.some((localTime, column) => localTime !== localTimes[column]);
    if (isMoved) this.#drawn.clear();
    const isSame = !isMoved && localTimes.length === before.localTimes.length;
    this.#rows = rows;
    this.#grid.ariaLabel = label;
    this.#grid.ariaRowCount = String(rows.length + 1);
    const words = isSame ? before.words : localTimes.map(timeWords);
    const width = showHead(this.#head, localTimes, (localTime) => this.book.countsOf(localTime));
    this.#columns = { localTimes, words, width };
    this.#grid.style.setProperty("--night", `${width}px`);
    this.#body.style.height = `${rows.length * ROW_PX}px`;
    const hadFocus = this.#body.contains(document.activeElement);
    this.#draw(true);
    const hasFocus = this.#body.contains(document.activeElement);
    if (hadFocus && !hasFocus) this.#tabStop?.focus({ preventScroll: true });
  }

  /** Focuses the cell that was focused last, or the first one. */
  focus(): void {
    this.#move(this.#place());
  }

  /** Returns the position of the focused cell; if its row or column is gone, the first row or column. */
  #place(): Place {
    const row = this.#rows.findIndex(({ clientId }) => clientId === this.#active?.clientId);
    const column = this.#columns.localTimes.indexOf(this.#active?.localTime ?? "");
    return { row: Math.max(0, row), column: Math.max(0, column) };
  }

  /**
   * Draws the visible rows and the focused row.
   * @param isChanged true also updates rows that are drawn already
   */
  #draw(isChanged = false): void {
    const { scrollTop, clientHeight } = this.#scroll;
    const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - MARGIN);
    const last = Math.ceil((scrollTop + clientHeight) / ROW_PX) + MARGIN;
    const place = this.#place();
    const shown = new Map<string, GridRow>();
    for (const [index, { clientId, owed }] of this.#rows.entries()) {
      if ((index < first || index >= last) && index !== place.row) continue;
      const drawn = this.#drawn.get(clientId);
      const row = drawn ?? new GridRow(clientId);
      shown.set(clientId, row);
      if (drawn && !isChanged) continue;
      row.show(index, owed, this.#columns, (localTime) => this.book.get(localTime, clientId));
    }
    this.#drawn = shown;
    this.#setTabStop(place);
    keepingFocus(() =>
      arrange(
        this.#body,
        [...shown.values()].map(({ element }) => element),
      ),
    );
  }

  #setTabStop({ row, column }: Place): void {
    const cell = this.#drawn.get(this.#rows[row]?.clientId ?? "")?.cell(column);
    if (cell === this.#tabStop) return;
    if (this.#tabStop) this.#tabStop.tabIndex = -1;
    if (cell) cell.tabIndex = 0;
    this.#tabStop = cell;
  }

  /** Handles a key. @returns false if the grid has no use for the key */
  #handleKey(key: string, ctrl: boolean): boolean {
    if (!ctrl && (key === "Enter" || key === " ")) {
      this.#open();
      return true;
    }
    const to = this.#placeOf(key, ctrl);
    if (to) this.#move(to);
    return to !== null;
  }

  #placeOf(key: string, ctrl: boolean): Place | null {
    const { row, column } = this.#place();
    const lastRow = this.#rows.length - 1;
    const page = Math.max(1, Math.floor(this.#scroll.clientHeight / ROW_PX) - 2);
    switch (key) {
      case "ArrowDown":
        return { row: ctrl ? lastRow : row + 1, column };
      case "ArrowUp":
        return { row: ctrl ? 0 : row - 1, column };
      case "ArrowRight":
        return { row, column: ctrl ? this.#columns.localTimes.length - 1 : column + 1 };
      case "ArrowLeft":
        return { row, column: ctrl ? 0 : column - 1 };
      case "Home":
        return { row: ctrl ? 0 : row, column: 0 };
      case "End":
        return { row: ctrl ? lastRow : row, column: this.#columns.localTimes.length - 1 };
      case "PageDown":
        return { row: row + page, column };
      case "PageUp":
        return { row: row - page, column };
      default:
        return null;
    }
  }

  /** Moves the focus to a cell and scrolls to it. A position outside the grid means the nearest cell. */
  #move({ row, column }: Place): void {
    const rowIndex = Math.max(0, Math.min(row, this.#rows.length - 1));
    const site = this.#rows[rowIndex];
    const localTime =
      this.#columns.localTimes[Math.max(0, Math.min(column, this.#columns.localTimes.length - 1))];
    if (site === undefined || localTime === undefined) return;
    this.#active = { clientId: site.clientId, localTime };
    // The head of the grid stays at the top and covers part of the scrolled area, so its height is
    // subtracted.
    const [top, height] = [rowIndex * ROW_PX, this.#scroll.clientHeight - this.#head.offsetHeight];
    if (top < this.#scroll.scrollTop) this.#scroll.scrollTop = top;
    else if (top + ROW_PX > this.#scroll.scrollTop + height) {
      this.#scroll.scrollTop = top + ROW_PX - height;
    }
    this.#draw();
    this.#tabStop?.focus();
  }

  #open(): void {
    if (!this.#active) this.focus();
    const { clientId = "", localTime = "" } = this.#active ?? {};
    if (this.book.get(localTime, clientId)) this.onOpen(localTime, clientId);
  }
}

/** Returns the cell that an event's target is in; null if it is not in a cell. */
function cellAt(target: EventTarget | null): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>(".cell") : null;
}
