import { DELIVERY_WORDS, WORST_FIRST } from "./delivery-words.ts";
import { markOf } from "./marks.ts";

/** Shows the legend of the grid: each mark with the name of its status. */
export function showLegend(list: HTMLElement): void {
  if (list.childElementCount > 0) return;
  list.append(
    ...WORST_FIRST.map((status) => {
      const item = document.createElement("li");
      const cell = document.createElement("span");
      cell.className = "cell";
      cell.dataset["status"] = status;
      cell.append(markOf(status));
      item.append(cell, DELIVERY_WORDS[status]);
      return item;
    }),
  );
}
