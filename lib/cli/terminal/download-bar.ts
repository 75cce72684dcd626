import type { DownloadRecord } from "../../api/schemas.ts";
import type { BarState } from "./progress.ts";

const TONES: Partial<Record<DownloadRecord["status"], BarState["tone"]>> = {
  completed: "good",
  failed: "bad",
  cancelled: "bad",
};

/** The progress bar of a download. */
export function barOf(record: DownloadRecord): BarState {
  return {
    label: record.client_id,
    done: record.bytes_received,
    total: record.total_size,
    bytesPerSecond: record.bytes_per_second,
    etaSeconds: record.eta_seconds,
    note: noteOf(record),
    tone: TONES[record.status] ?? "active",
  };
}

function noteOf({ status, total_size }: DownloadRecord): string | null {
  if (status !== "downloading") return status;
  return total_size === null ? "starting" : null;
}
