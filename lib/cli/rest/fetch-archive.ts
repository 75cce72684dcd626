import { digestOf, entityTag } from "../../api/checksums.ts";
import { endpoints } from "../../api/endpoints.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import type { Transport } from "./transport.ts";

/**
 * Yields all files of a completed set as one tar archive, in pieces.
 * @throws UnreachableError where the server does not answer, or the archive is cut off
 */
export function fetchArchive(
  transport: Transport,
  record: DownloadRecord,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const etag = entityTag(record.checksum, digestOf(record) ?? "");
  const isWanted = ({ status, headers }: Response) =>
    status === 200 &&
    headers.get("etag") === etag &&
    headers.get("content-type") === "application/x-tar";
  const { download_id } = record;
  const request = { params: { download_id }, query: {} };
  return transport.pieces(endpoints.downloadContent, request, { signal, isWanted });
}
