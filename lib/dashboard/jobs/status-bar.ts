import type { JobRecord } from "../../api/jobs.ts";
import { BAR_ORDER, countsOf } from "./job-words.ts";

/**
 * Draws a job's progress bar. It has a part for each status, whose width is the share of the job's downloads
 * with this status. The bar's label tells the counts to screen readers.
 */
export function showBar(bar: HTMLElement, job: JobRecord): void {
  const { counts } = job;
  const key = BAR_ORDER.map((status) => counts[status]).join(" ");
  if (bar.dataset["counts"] === key) return;
  bar.dataset["counts"] = key;
  bar.ariaLabel = countsOf(job)
    .map(({ words }) => words)
    .join(", ");
  if (bar.childElementCount === 0) bar.append(...BAR_ORDER.map(newPart));
  for (const [index, status] of BAR_ORDER.entries()) {
    const part = bar.children[index];
    if (!(part instanceof HTMLElement)) continue;
    part.hidden = counts[status] === 0;
    part.style.flexGrow = String(counts[status]);
  }
}

function newPart(status: string): HTMLElement {
  const part = document.createElement("span");
  part.dataset["status"] = status;
  return part;
}
