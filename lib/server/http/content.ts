import { basename } from "node:path";
import { entityTag } from "../../api/checksums.ts";
import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import type { StoredBytes, StoredFile } from "../storage/storage.ts";

/** The byte range of a file that a request wants. `end` is exclusive. */
export type Range = { start: number; end: number } | "all" | "unsatisfiable";

/**
 * Parses a Range header (RFC 9110, 14.1–14.2). Several ranges, or an invalid one, are treated as no range,
 * which the RFC allows.
 * @param size size of the file, in bytes
 * @returns the range; its `end` is exclusive
 */
export function parseRange(header: string | undefined, size: number): Range {
  const match = /^bytes=(\d{0,15})-(\d{0,15})$/.exec(header?.trim() ?? "");
  const [, first = "", last = ""] = match ?? [];
  if (first === "" && last === "") return "all";
  if (first === "") {
    const length = Math.min(Number(last), size);
    return length === 0 ? "unsatisfiable" : { start: size - length, end: size };
  }
  const start = Number(first);
  if (last !== "" && Number(last) < start) return "all";
  if (start >= size) return "unsatisfiable";
  return { start, end: last === "" ? size : Math.min(Number(last) + 1, size) };
}

/** The content of a download: a file's checksum, and its path relative to DOWNLOADS_DIR. */
export interface Content {
  checksum: ChecksumAlgorithm;
  digest: string;
  savedPath: string;
}

/**
 * Returns the HTTP response with a completed download's file, or the requested range of it.
 * @param bodyOf makes the response body from the bytes to send
 */
export function contentResponse(
  { checksum, digest, savedPath }: Content,
  file: StoredFile,
  request: Request,
  bodyOf: (bytes: StoredBytes) => StoredBytes = (bytes) => bytes,
): Response {
  const { headers: requestHeaders, method } = request;
  const etag = entityTag(checksum, digest);
  const headers = new Headers({
    "Accept-Ranges": "bytes",
    "Cache-Control": "private, no-cache",
    "Content-Disposition": contentDisposition(basename(savedPath)),
    "Content-Type": "application/octet-stream",
    ETag: etag,
    // Without this header, nginx would buffer much of the response, and then read nothing for so long that
    // the connection is closed as idle.
    "X-Accel-Buffering": "no",
  });
  if (hasEntityTag(requestHeaders.get("If-None-Match"), etag))
    return new Response(null, { status: 304, headers });
  const ifRange = requestHeaders.get("If-Range");
  // A range applies only to GET (RFC 9110, 14.2), and only if If-Range is absent or names this version of the
  // file.
  const isRangeAllowed = method === "GET" && (ifRange === null || ifRange === etag);
  const range = parseRange(
    isRangeAllowed ? (requestHeaders.get("Range") ?? undefined) : undefined,
    file.size,
  );
  if (range === "unsatisfiable") {
    headers.set("Content-Range", `bytes */${file.size}`);
    headers.delete("Content-Disposition");
    return new Response(null, { status: 416, headers });
  }
  if (range === "all") {
    headers.set("Content-Length", String(file.size));
    return new Response(bodyOf(file.slice(0, file.size)), { headers });
  }
  const { start, end } = range;
  headers.set("Content-Range", `bytes ${start}-${end - 1}/${file.size}`);
  headers.set("Content-Length", String(end - start));
  return new Response(bodyOf(file.slice(start, end)), { status: 206, headers });
}

/** Reports whether an If-None-Match header (RFC 9110, 13.1.2) contains an ETag. */
export function hasEntityTag(header: string | null, etag: string): boolean {
  const tags = header?.split(",").map((tag) => tag.trim().replace(/^W\//, "")) ?? [];
  return tags.includes("*") || tags.includes(etag);
}

/**
 * Returns the Content-Disposition header that suggests the name of the file to save (RFC 6266, RFC 8187).
 * @param name any text, also with non-ASCII characters
 */
export function contentDisposition(name: string): string {
  const ascii = name.replace(/[^\x20-\x7e]|["\\%]/g, "_");
  const encoded = encodeURIComponent(name).replace(
    /['()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return `attachment; filename="${ascii}"; filename*=UTF-8''${encoded}`;
}
