import type { DeliveryStatus } from "../../api/deliveries.ts";
import { cloneOf, setText } from "../dom.ts";
import { showSite } from "../long-names.ts";
import { DELIVERY_WORDS, isOwed } from "./delivery-words.ts";
import { drawMarks, newMarks } from "./marks.ts";

/** Height of a row, in px; the same in the style. */
export const ROW_PX = 32;

/** The columns of the grid. */
export interface Columns {
  /** Local times, newest first. */
  nights: readonly string[];
  /** The same as text. */
  words: readonly string[];
  /** Width of each, in px. */
  width: number;
}

/** The deliveries of one site: its name, a cell for each time, and one image with all marks. */
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
   * @param index place among all rows
   * @param owed number of shown times for which the site owes something
   * @param statusOf of a local time
   */
  show(
    index: number,
    owed: number,
    columns: Columns,
    statusOf: (night: string) => DeliveryStatus | undefined,
  ): void {
    this.element.ariaRowIndex = String(index + 2);
    this.element.style.top = `${index * ROW_PX}px`;
    this.#owed.hidden = owed === 0;
    if (this.#owed.firstElementChild) setText(this.#owed.firstElementChild, String(owed));
    const { words, width } = columns;
    const before = this.#statuses;
    this.#statuses = columns.nights.map(statusOf);
    let isOther = width !== this.#width || before.length !== this.#statuses.length;
    this.#width = width;
    for (const [column, status] of this.#statuses.entries()) {
      const isNew = column >= before.length;
      if (!isNew && before[column] === status) continue;
      isOther = true;
      this.#showCell(column, status, words[column] ?? "", isNew);
    }
    if (isOther) drawMarks(this.#marks, this.#statuses, width, ROW_PX);
  }

  /** @returns undefined: there is no such column */
  cell(column: number): HTMLElement | undefined {
    return this.#cells[column];
  }

  /** The column of a cell; -1: it is not in this row. */
  columnOf(cell: HTMLElement): number {
    return this.#cells.indexOf(cell);
  }

  #showCell(column: number, status: DeliveryStatus | undefined, when: string, isNew: boolean) {
    const cell = this.#cells[column] ?? this.#newCell();
    const word = status ? DELIVERY_WORDS[status] : "Nothing expected";
    cell.dataset["status"] = status ?? "none";
    cell.ariaLabel = `${word}, ${this.clientId}, ${when}`;
    // The status changed while the grid was visible.
    const turned = !isNew && status !== undefined && !isOwed(status);
    if (turned || !isNew) cell.classList.toggle("turned", turned);
  }

  #newCell(): HTMLElement {
    const cell = cloneOf("grid-cell");
    this.#cells.push(cell);
    this.#marks.before(cell);
    return cell;
  }
}
