import type { DownloadStatus } from "../api/schemas.ts";
import { isStatus } from "./status.ts";

/*
 * What the board shows stands in the fragment of the page's address, as `#status=failed&site=till-1`:
 * so it can be linked and kept, and the browser's Back leads to what was shown before.
 */

/** What of the board is shown. */
export interface Shown {
  /** Downloads with this status; null: with any. */
  status: DownloadStatus | null;
  /** Downloads of this site; null: of all. */
  site: string | null;
  /** Of the sites, only those that are not connected. */
  onlyOffline: boolean;
}

/**
 * What an address asks for.
 * @param hash of the address, with its `#`
 * @returns null where it is about something else, as a place on the page or a sign-in code
 */
export function readAddress(hash: string): Shown | null {
  const fields = new URLSearchParams(hash.slice(1));
  const known = ["status", "site", "sites"].some((name) => fields.has(name));
  if (!known && hash.length > 1) return null;
  const status = fields.get("status") ?? "";
  return {
    status: isStatus(status) ? status : null,
    site: fields.get("site") || null,
    onlyOffline: fields.get("sites") === "offline",
  };
}

/** The hash of the address that asks for this: `#` and what differs from showing everything. */
export function addressOf({ status, site, onlyOffline }: Shown): string {
  const fields = new URLSearchParams();
  if (status !== null) fields.set("status", status);
  if (site !== null) fields.set("site", site);
  if (onlyOffline) fields.set("sites", "offline");
  return `#${fields}`;
}
