import type { DownloadStatus } from "../api/schemas.ts";
import { isStatus } from "./status.ts";

/*
 * Keeps the filters of the page in the fragment of its URL, such as `#status=failed&site=till-1`. So a
 * filtered page can be linked and bookmarked, and the browser's Back button works.
 */

/** The filters of the page, as its URL states them. */
export interface PageFilters {
  /** Shows only downloads with this status; null shows all. */
  status: DownloadStatus | null;
  /** True hides failed downloads that were retried. */
  onlyOpen: boolean;
  /** Shows only downloads of this client id; null shows those of all sites. */
  site: string | null;
  /** Shows only downloads of the job with this id; null shows all, also those without a job. */
  job: string | null;
  /** Name of the schedule whose deliveries are shown; null shows none. */
  schedule: string | null;
  /** Id of the only download to show; null shows all. */
  download: string | null;
  /** True hides sites that are connected. */
  onlyOffline: boolean;
}

export const NO_FILTERS: Readonly<PageFilters> = {
  status: null,
  onlyOpen: false,
  site: null,
  job: null,
  schedule: null,
  download: null,
  onlyOffline: false,
};

/**
 * Fields of the fragment that are filters by themselves. The field `open` is missing, because it has an
 * effect only together with `status=failed`.
 */
const FIELDS = ["status", "site", "job", "schedule", "download", "sites"];

/**
 * Parses the filters in the fragment of a URL.
 * @param hash the fragment with its `#`
 * @returns null if the fragment has another purpose, such as an anchor on the page or a sign-in code
 */
export function readFragment(hash: string): PageFilters | null {
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

/** Formats filters as the fragment of a URL, with its `#`. Filters that are not set are left out. */
export function fragmentOf(filters: PageFilters): string {
  const { status, onlyOpen, site, job, schedule, download, onlyOffline } = filters;
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
