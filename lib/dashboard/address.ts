import type { DownloadStatus } from "../api/schemas.ts";
import { isStatus } from "./status.ts";

/*
 * What the board shows stands in the fragment of the page's address, as `#status=failed&site=till-1`:
 * so it can be linked and kept, and the browser's Back leads to what was shown before.
 */

/** The part of the board that is shown. */
export interface Shown {
  /** Downloads with this status; null: with any. */
  status: DownloadStatus | null;
  /** True: failed downloads only where they were not retried. */
  onlyOpen: boolean;
  /** Downloads of this site; null: of all. */
  site: string | null;
  /** Downloads of this job; null: of any, and of none. */
  job: string | null;
  /** The schedule whose board is shown; null: of none. */
  schedule: string | null;
  /** The only download that is shown; null: as many as there are. */
  download: string | null;
  /** True: only sites that are not connected. */
  onlyOffline: boolean;
}

export const EVERYTHING: Readonly<Shown> = {
  status: null,
  onlyOpen: false,
  site: null,
  job: null,
  schedule: null,
  download: null,
  onlyOffline: false,
};

/** What an address can be about. */
const FIELDS = ["status", "site", "job", "schedule", "download", "sites"];

/**
 * What an address asks for.
 * @param hash of the address, with its `#`
 * @returns null where it is about something else, as a place on the page or a sign-in code
 */
export function readAddress(hash: string): Shown | null {
  const fields = new URLSearchParams(hash.slice(1));
  if (hash.length > 1 && !FIELDS.some((name) => fields.has(name))) return null;
  const status = fields.get("status") ?? "";
  return {
    status: isStatus(status) ? status : null,
    onlyOpen: status === "failed" && fields.get("open") === "true",
    site: fields.get("site") || null,
    job: fields.get("job") || null,
    schedule: fields.get("schedule") || null,
    download: fields.get("download") || null,
    onlyOffline: fields.get("sites") === "offline",
  };
}

/** The hash of the address that asks for this: `#` and what differs from showing everything. */
export function addressOf(shown: Shown): string {
  const { status, onlyOpen, site, job, schedule, download, onlyOffline } = shown;
  const fields = new URLSearchParams();
  if (status !== null) fields.set("status", status);
  if (status === "failed" && onlyOpen) fields.set("open", "true");
  if (site !== null) fields.set("site", site);
  if (job !== null) fields.set("job", job);
  if (schedule !== null) fields.set("schedule", schedule);
  if (download !== null) fields.set("download", download);
  if (onlyOffline) fields.set("sites", "offline");
  return `#${fields}`;
}
