import { DownloadChange } from "../download-change.ts";
import * as schemas from "../schemas.ts";
import { ContentQuery, SetFileList, SetFileQuery } from "../sets.ts";
import type { Endpoint } from "./endpoint.ts";

const accepted = {
  status: 202,
  description: "It is queued",
  schema: schemas.DownloadAccepted,
  headers: { Location: "The new download, relative to the address of the call" },
};
const downloadRecord = { schema: schemas.DownloadRecord, description: "The download" };
const fileHeaders = {
  ETag: 'The MD5 of the file, in quotes; of a SHA-256, "sha256:…"',
  "Accept-Ranges": "bytes",
  "Content-Disposition": "attachment, with the name of the file",
};
const file = { mediaType: "application/octet-stream", headers: fileHeaders };

/** REST calls about downloads, except those that stream events. */
export const downloadEndpoints = {
  startDownload: {
    method: "POST",
    path: "/api/download",
    summary: "Pull a file from a client",
    role: "operator",
    audit: "download_start",
    body: schemas.NewDownload,
    // Include and exclude patterns can have 200,000 characters in all, and JSON can take six bytes for a
    // character.
    largeBody: { field: "paths", bytes: 2 * 1024 * 1024 },
    answers: [accepted],
    errors: [
      "client_not_found",
      "client_not_connected",
      "client_outdated",
      "request_too_large",
      "storage_full",
    ],
  },
  listDownloads: {
    method: "GET",
    path: "/api/downloads",
    summary: "Downloads, newest first",
    role: "viewer",
    query: schemas.DownloadQuery,
    answers: [{ status: 200, description: "A page of them", schema: schemas.DownloadList }],
    errors: [],
  },
  getDownload: {
    method: "GET",
    path: "/api/downloads/:download_id",
    summary: "One download",
    role: "viewer",
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found"],
  },
  listSetFiles: {
    method: "GET",
    path: "/api/downloads/:download_id/files",
    summary: "The files of a set, and what became of each, in the order of the manifest",
    role: "viewer",
    query: SetFileQuery,
    answers: [{ status: 200, description: "A page of them", schema: SetFileList }],
    errors: ["download_not_found"],
  },
  downloadContent: {
    method: "GET",
    path: "/api/downloads/:download_id/content",
    summary: "The file of a completed download, or a range of it; a set as a tar archive",
    role: "viewer",
    audit: "content_fetch",
    hasLongAnswer: true,
    head: true,
    query: ContentQuery,
    answers: [
      { status: 200, description: "The file", ...file },
      { status: 206, description: "The range", ...file },
      { status: 304, description: "It is what If-None-Match names" },
      { status: 416, description: "The range lies outside the file" },
    ],
    errors: ["download_not_found", "download_not_finished", "file_removed", "not_found"],
  },
  removeContent: {
    method: "DELETE",
    path: "/api/downloads/:download_id/content",
    summary: "Remove what came of a completed download, now; its record stays",
    role: "admin",
    audit: "content_remove",
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found", "download_not_finished", "content_held"],
  },
  changeDownload: {
    method: "PATCH",
    path: "/api/downloads/:download_id",
    summary:
      "Change the most bytes a second of a download that has not ended; as an admin, hold or release what came of it",
    role: "operator",
    audit: "download_change",
    body: DownloadChange,
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found", "download_already_ended", "request_too_large"],
  },
  cancelDownload: {
    method: "POST",
    path: "/api/downloads/:download_id/cancel",
    summary: "End a download that has not ended",
    role: "operator",
    audit: "download_cancel",
    answers: [{ status: 200, ...downloadRecord }],
    errors: ["download_not_found", "download_already_ended"],
  },
  retryDownload: {
    method: "POST",
    path: "/api/downloads/:download_id/retry",
    summary:
      "Pull the file of a failed or cancelled download again, as a new download, which the old one names",
    role: "operator",
    audit: "download_retry",
    answers: [accepted],
    errors: [
      "download_not_found",
      "download_not_finished",
      "download_already_ended",
      "storage_full",
    ],
  },
} as const satisfies Record<string, Endpoint>;
