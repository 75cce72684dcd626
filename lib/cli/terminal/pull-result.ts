import { CHECKSUM_NAMES, digestOf } from "../../api/checksums.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { formatSize } from "../../util/sizes.ts";
import { plainText } from "../../util/plain-text.ts";
import { paint } from "./terminal.ts";

/** What became of a download that has ended, for a person. */
export function resultLines(record: DownloadRecord, coloured: boolean): string[] {
  const { client_id, status, saved_path, checksum } = record;
  if (status !== "completed") {
    return [`${paint("✗", "red", coloured)} ${client_id}  ${reasonOf(record)}`];
  }
  const dim = (text: string) => paint(text, "dim", coloured);
  return [
    `${paint("✓", "green", coloured)} ${client_id}  ${dim(summaryOf(record))}`,
    `  ${plainText(saved_path ?? "")}`,
    `  ${dim(CHECKSUM_NAMES[checksum])} ${digestOf(record)} ${paint("verified", "green", coloured)}`,
  ];
}

/** Why a download did not complete. */
export function reasonOf({ status, error }: DownloadRecord): string {
  return error === null ? status : `${status}: ${plainText(error)}`;
}

function summaryOf({ total_size, bytes_per_second, started_at, completed_at }: DownloadRecord) {
  const seconds = (Date.parse(completed_at ?? "") - Date.parse(started_at ?? "")) / 1000;
  const rate = bytes_per_second === null ? "" : `, ${formatSize(bytes_per_second)}/s`;
  return `${formatSize(total_size ?? 0)} in ${seconds.toFixed(1)} s${rate}`;
}
