import type { DeliveryStatus } from "../../api/deliveries.ts";
import { cloneOf, setText } from "../dom.ts";
import { showSite } from "../long-names.ts";
import { DELIVERY_WORDS, owesFiles } from "./delivery-words.ts";
import { drawMarks, newMarks } from "./marks.ts";

/** Height of a row in px, the same as in the CSS. */
export const ROW_PX = 32;

/** The columns of the grid. */
export interface Columns {
  /** The scheduled local time of each column, newest first. */
  localTimes: readonly string[];
  /** The scheduled time of each column as text, such as "Mon, Nov 30, 02:30". */
  words: readonly string[];
  /** Width of each column, in px. */
  width: number;
}

/** A row of the grid: a site's name, a cell for each scheduled time, and one SVG image with all marks. */
export class GridRow {
  readonly element: HTMLElement;
  readonly #cells: HTMLElement[] = [];
  readonly #marks = newMarks("marks");
  readonly #owed: HTMLElement;
  #statuses: readonly (DeliveryStatus | undefined)[] = [];
  #width = 0;

  constructor(private readonly clientId: string) {
    this.element = cloneOf("grid-row");
    this.element.dataset["clientId"] = clientId;
    const [head, owed] = [...this.element.querySelectorAll<HTMLElement>(".name, .owed")];
    if (!head || !owed) throw new Error("the page and its script do not match");
    showSite(head, clientId);
    this.#owed = owed;
    this.element.append(this.#marks);
  }

  /**
   * Draws the row.
   * @param index position among all rows, from 0
   * @param owed number of the row's deliveries that are missing or partial
   * @param statusOf returns the status of the site's delivery at a scheduled local time
   */
  show(
    index: number,
    owed: number,
    columns: Columns,
    statusOf: (localTime: string) => DeliveryStatus | undefined,
  ): void {
    this.element.ariaRowIndex = String(index + 2);
    this.element.style.top = `${index * ROW_PX}px`;
    this.#owed.hidden = owed === 0;
    if (this.#owed.firstElementChild) setText(this.#owed.firstElementChild, String(owed));
    const { words, width } = columns;
    const before = this.#statuses;
    this.#statuses = columns.localTimes.map(statusOf);
    let isChanged = width !== this.#width || before.length !== this.#statuses.length;
    this.#width = width;
    for (const [column, status] of this.#statuses.entries()) {
      const isNew = column >= before.length;
      if (!isNew && before[column] === status) continue;
      isChanged = true;
      this.#showCell(column, status, words[column] ?? "", isNew);
    }
    if (isChanged) drawMarks(this.#marks, this.#statuses, width, ROW_PX);
  }

  /** Returns the cell of a column; undefined if there is no such column. */
  cell(column: number): HTMLElement | undefined {
    return this.#cells[column];
  }

  /** Returns the column of a cell; -1 if the cell is not in this row. */
  columnOf(cell: HTMLElement): number {
    return this.#cells.indexOf(cell);
  }

  #showCell(column: number, status: DeliveryStatus | undefined, when: string, isNew: boolean) {
    const cell = this.#cells[column] ?? this.#newCell();
    const word = status ? DELIVERY_WORDS[status] : "Nothing expected";
    cell.dataset["status"] = status ?? "none";
    cell.ariaLabel = `${word}, ${this.clientId}, ${when}`;
    // The class "turned" animates a cell whose status has changed to any status but missing and partial.
    const isTurned = !isNew && status !== undefined && !owesFiles(status);
    if (isTurned || !isNew) cell.classList.toggle("turned", isTurned);
  }

  #newCell(): HTMLElement {
    const cell = cloneOf("grid-cell");
    this.#cells.push(cell);
    this.#marks.before(cell);
    return cell;
  }
}
