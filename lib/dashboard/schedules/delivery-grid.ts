import { arrange, byId, cloneOf, keepingFocus, setText } from "../dom.ts";
import { showSite } from "../long-names.ts";
import type { DeliveryBook, SiteRow } from "./delivery-book.ts";
import { DELIVERY_WORDS, isOwed, nightWords } from "./delivery-words.ts";
import { showHead } from "./grid-head.ts";
import { markOf } from "./marks.ts";

/** Height of a row, in px; the same in the style. */
const ROW_PX = 32;

/** Rows drawn above and below the visible ones. */
const MARGIN = 8;

/** A cell of the grid. */
interface Place {
  row: number;
  column: number;
}

/**
 * Sites by times, with a mark for each delivery. Arrows, Home, End, Page Up and Page Down move, with Ctrl
 * to the corners; Enter opens. Only visible rows are elements of the page, as there may be thousands.
 */
export class DeliveryGrid {
  readonly #scroll = byId("deliveries-scroll", HTMLElement);
  readonly #grid = byId("deliveries-grid", HTMLElement);
  readonly #head = byId("deliveries-head", HTMLElement);
  readonly #body = byId("deliveries-body", HTMLElement);
  readonly #drawn = new Map<string, HTMLElement>();
  #rows: readonly SiteRow[] = [];
  #nights: readonly string[] = [];
  /** The times as text. */
  #words: readonly string[] = [];
  /** The cell from which keys move, by site and time, as rows may be reordered. */
  #active: { clientId: string; night: string } | null = null;

  constructor(
    private readonly book: DeliveryBook,
    private readonly onOpen: (night: string, clientId: string) => void,
  ) {
    this.#scroll.addEventListener("scroll", () => this.#draw());
    this.#grid.addEventListener("keydown", (event) => {
      if (event.altKey || event.metaKey || !this.#press(event.key, event.ctrlKey)) return;
      event.preventDefault();
    });
    this.#grid.addEventListener("click", ({ target }) => {
      const cell = target instanceof Element ? target.closest<HTMLElement>(".cell") : null;
      const clientId = cell?.closest<HTMLElement>(".grid-row")?.dataset["clientId"];
      const night = cell?.dataset["night"];
      if (clientId === undefined || night === undefined) return;
      this.#active = { clientId, night };
      this.#draw();
      this.#open();
    });
    new ResizeObserver(() => this.#draw()).observe(this.#scroll);
  }

  /** @param label name of the grid */
  render(label: string, rows: readonly SiteRow[], nights: readonly string[]): void {
    // Older times are appended; for a newer one, all columns move.
    if (this.#nights.some((night, column) => night !== nights[column])) this.#forgetRows();
    if (nights.length !== this.#words.length) this.#words = nights.map(nightWords);
    this.#rows = rows;
    this.#nights = nights;
    this.#grid.ariaLabel = label;
    this.#grid.ariaRowCount = String(rows.length + 1);
    this.#grid.ariaColCount = String(nights.length + 1);
    showHead(this.#head, nights, (night) => this.book.countsOf(night));
    this.#body.style.height = `${rows.length * ROW_PX}px`;
    this.#draw();
  }

  /** Focuses the cell of a delivery, or the last focused one. */
  focus(): void {
    this.#move(this.#place());
  }

  #forgetRows(): void {
    for (const row of this.#drawn.values()) row.remove();
    this.#drawn.clear();
    this.#words = [];
  }

  /** The cell from which keys move; the first one if that is gone. */
  #place(): Place {
    const row = this.#rows.findIndex(({ clientId }) => clientId === this.#active?.clientId);
    const column = this.#nights.indexOf(this.#active?.night ?? "");
    return { row: Math.max(0, row), column: Math.max(0, column) };
  }

  /** Draws the visible rows, and the focused one. */
  #draw(): void {
    const { scrollTop, clientHeight } = this.#scroll;
    const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - MARGIN);
    const last = Math.ceil((scrollTop + clientHeight) / ROW_PX) + MARGIN;
    const place = this.#place();
    const shown: HTMLElement[] = [];
    for (const [index, site] of this.#rows.entries()) {
      if ((index < first || index >= last) && index !== place.row) continue;
      shown.push(this.#row(site, index, index === place.row ? place.column : -1));
    }
    keepingFocus(() => arrange(this.#body, shown));
    const kept = new Set(shown);
    for (const [id, row] of this.#drawn) if (!kept.has(row)) this.#drawn.delete(id);
  }

  /** @param active column of the cell that can be focused; -1: none in this row */
  #row({ clientId, owed }: SiteRow, index: number, active: number): HTMLElement {
    const row = this.#drawn.get(clientId) ?? this.#newRow(clientId);
    row.ariaRowIndex = String(index + 2);
    row.style.top = `${index * ROW_PX}px`;
    for (let column = row.childElementCount - 1; column < this.#nights.length; column++) {
      row.append(newCell(this.#nights[column] ?? "", column));
    }
    const [head, ...cells] = row.children;
    const badge = head?.querySelector<HTMLElement>(".owed");
    if (badge) {
      badge.hidden = owed === 0;
      if (badge.firstElementChild) setText(badge.firstElementChild, String(owed));
    }
    for (const [column, cell] of cells.entries()) {
      const night = this.#nights[column];
      if (!(cell instanceof HTMLElement) || night === undefined) continue;
      this.#cell(cell, clientId, night, this.#words[column] ?? "");
      cell.tabIndex = column === active ? 0 : -1;
    }
    return row;
  }

  #newRow(clientId: string): HTMLElement {
    const row = document.createElement("div");
    row.role = "row";
    row.className = "grid-row";
    row.dataset["clientId"] = clientId;
    const head = document.createElement("div");
    head.role = "rowheader";
    head.className = "grid-site";
    head.ariaColIndex = "1";
    const name = cloneOf("grid-site-name");
    showSite(name, clientId);
    const owed = document.createElement("span");
    owed.className = "owed";
    const word = document.createElement("span");
    word.textContent = " owed";
    owed.append(document.createElement("b"), word);
    head.append(name, owed);
    row.append(head);
    this.#drawn.set(clientId, row);
    return row;
  }

  /** @param when its time as text */
  #cell(cell: HTMLElement, clientId: string, night: string, when: string): void {
    const known = this.book.get(night, clientId);
    const status = known ?? "none";
    const before = cell.dataset["status"];
    if (before === status) return;
    cell.dataset["status"] = status;
    const word = known ? DELIVERY_WORDS[known] : "Nothing expected";
    cell.ariaLabel = `${word}, ${clientId}, ${when}`;
    cell.title = cell.ariaLabel;
    cell.replaceChildren(...(known ? [markOf(known)] : []));
    // The status changed while the grid was visible.
    const turned = before !== undefined && known !== undefined && !isOwed(known);
    cell.classList.toggle("turned", turned);
  }

  /** @returns whether the key is used here */
  #press(key: string, ctrl: boolean): boolean {
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
        return { row, column: ctrl ? this.#nights.length - 1 : column + 1 };
      case "ArrowLeft":
        return { row, column: ctrl ? 0 : column - 1 };
      case "Home":
        return { row: ctrl ? 0 : row, column: 0 };
      case "End":
        return { row: ctrl ? lastRow : row, column: this.#nights.length - 1 };
      case "PageDown":
        return { row: row + page, column };
      case "PageUp":
        return { row: row - page, column };
      default:
        return null;
    }
  }

  /** Moves the focus to a cell, or to the nearest one. */
  #move({ row, column }: Place): void {
    const at = Math.max(0, Math.min(row, this.#rows.length - 1));
    const site = this.#rows[at];
    const night = this.#nights[Math.max(0, Math.min(column, this.#nights.length - 1))];
    if (site === undefined || night === undefined) return;
    this.#active = { clientId: site.clientId, night };
    // Rows are below the head, which stays at the top.
    const [top, height] = [at * ROW_PX, this.#scroll.clientHeight - this.#head.offsetHeight];
    if (top < this.#scroll.scrollTop) this.#scroll.scrollTop = top;
    else if (top + ROW_PX > this.#scroll.scrollTop + height) {
      this.#scroll.scrollTop = top + ROW_PX - height;
    }
    this.#draw();
    this.#body.querySelector<HTMLElement>(".cell[tabindex='0']")?.focus();
  }

  #open(): void {
    if (!this.#active) this.focus();
    const { clientId = "", night = "" } = this.#active ?? {};
    if (this.book.get(night, clientId)) this.onOpen(night, clientId);
  }
}

function newCell(night: string, column: number): HTMLElement {
  const cell = document.createElement("div");
  cell.role = "gridcell";
  cell.className = "cell";
  cell.ariaColIndex = String(column + 2);
  cell.dataset["night"] = night;
  return cell;
}
