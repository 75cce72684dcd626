import type { DownloadStatus } from "../api/schemas.ts";
import { isStatus } from "./status.ts";

/*
 * The state of the board is kept in the fragment of the page's address, as in `#status=failed&site=till-1`.
 * So it can be linked and bookmarked, and the browser's Back button works.
 */

/** What the board shows. */
export interface Shown {
  /** Downloads with this status; null: with any. */
  status: DownloadStatus | null;
  /** True: failed downloads only if they were not retried. */
  onlyOpen: boolean;
  /** Downloads of this site; null: of all. */
  site: string | null;
  /** Downloads of this job; null: of any job, or none. */
  job: string | null;
  /** The schedule whose board is shown; null: none. */
  schedule: string | null;
  /** The only download that is shown; null: all. */
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

/** Fields of the address. */
const FIELDS = ["status", "site", "job", "schedule", "download", "sites"];

/**
 * Parses the fragment of an address.
 * @param hash with its `#`
 * @returns null where it means something else, such as a place on the page or a sign-in code
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

/** The fragment for a state: `#`, and whatever differs from showing everything. */
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
