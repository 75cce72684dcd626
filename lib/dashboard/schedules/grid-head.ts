import { setText } from "../dom.ts";
import { formatCount } from "../format.ts";
import {
  type DeliveryCounts,
  timeWords,
  owesFiles,
  partsOf,
  summaryOf,
  WORST_FIRST,
} from "./delivery-words.ts";

/** Width of a column that shows only a day, in px. */
const COLUMN_PX = 34;

/**
 * Width, in px, of a column that also shows the time of day, for boards with several scheduled times on one
 * day.
 */
const TIMED_COLUMN_PX = 58;

/**
 * Draws the heads of the grid's columns: the day, the time of day if a day has several scheduled times, and
 * the number of sites whose delivery is missing or partial.
 * @param localTimes scheduled local times, newest first
 * @param countsOf returns the number of deliveries by status at a scheduled time
 * @returns the width of each column, in px
 */
export function showHead(
  head: HTMLElement,
  localTimes: readonly string[],
  countsOf: (localTime: string) => DeliveryCounts,
): number {
  const hasTimes =
    new Set(localTimes.map((localTime) => localTime.slice(0, 10))).size < localTimes.length;
  if (head.dataset["nights"] !== localTimes.join()) {
    head.dataset["nights"] = localTimes.join();
    const [corner] = head.children;
    head.replaceChildren(...(corner ? [corner] : []), ...localTimes.map(newHead));
    showDays(head, localTimes, hasTimes);
  }
  for (const [index, localTime] of localTimes.entries()) {
    const column = head.children[index + 1];
    if (!(column instanceof HTMLElement)) continue;
    const counts = countsOf(localTime);
    const owed = WORST_FIRST.filter(owesFiles).reduce((sum, status) => sum + counts[status], 0);
    const count = column.querySelector(".night-owed");
    if (count) setText(count, owed === 0 ? "" : formatCount(owed));
    const words = `${timeWords(localTime)}: ${summaryOf(counts)}`;
    if (column.ariaLabel === words) continue;
    column.ariaLabel = words;
    column.title = words;
  }
  return hasTimes ? TIMED_COLUMN_PX : COLUMN_PX;
}

/** Draws month and day in the heads of columns, each only if it differs from the previous column. */
function showDays(head: HTMLElement, localTimes: readonly string[], hasTimes: boolean): void {
  let before = { month: "", day: "" };
  for (const [index, localTime] of localTimes.entries()) {
    const { month, weekday, day, time } = partsOf(localTime);
    const isSameMonth = before.month === month;
    const isSameDay = isSameMonth && before.day === day;
    const words = [
      isSameMonth ? "" : month,
      isSameDay ? "" : weekday.slice(0, 2),
      isSameDay ? "" : day,
      ...(hasTimes ? [time] : []),
    ];
    const lines = words.map((text) => {
      const line = document.createElement("span");
      line.textContent = text;
      return line;
    });
    head.children[index + 1]?.prepend(...lines);
    before = { month, day };
  }
}

function newHead(): HTMLElement {
  const column = document.createElement("div");
  column.role = "columnheader";
  column.className = "night";
  const owed = document.createElement("strong");
  owed.className = "night-owed";
  column.append(owed);
  return column;
}
