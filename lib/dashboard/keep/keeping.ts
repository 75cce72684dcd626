import type { DownloadRecord } from "../../api/schemas.ts";
import { find, setText } from "../dom.ts";
import { formatWhen } from "../format.ts";

/**
 * Shows in a download's row whether its content is held or removed, and the buttons to hold, release or
 * remove it.
 */
export function showKeeping(row: HTMLElement, download: DownloadRecord, now: number): void {
  const { status, hold, removed_at } = download;
  const isRemoved = removed_at !== null;
  const isStored = status === "completed" && !isRemoved;
  row.toggleAttribute("data-removed", isRemoved);
  find(row, ".held", HTMLElement).hidden = !hold || isRemoved;
  find(row, ".hold", HTMLElement).hidden = hold || !isStored;
  find(row, ".release", HTMLElement).hidden = !hold || isRemoved;
  find(row, ".remove", HTMLElement).hidden = hold || !isStored;
  const gone = find(row, ".gone", HTMLElement);
  gone.hidden = !isRemoved;
  setText(gone, isRemoved ? `from the server, ${formatWhen(removed_at, now)}` : "");
}
