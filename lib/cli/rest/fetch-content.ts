import { entityTag } from "../../api/checksums.ts";
import { endpoints } from "../../api/endpoints.ts";
import { Failure } from "../program.ts";
import type { StoredFile } from "./stored-file.ts";
import type { Transport } from "./transport.ts";

/**
 * Yields the bytes of a stored file, in pieces.
 * @param offset position of the first byte to fetch, less than the file's size
 * @throws UnreachableError where the server does not answer, or bytes at the end are missing
 */
export async function* fetchContent(
  transport: Transport,
  { downloadId, path, checksum, digest, size }: StoredFile,
  offset: number,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const etag = entityTag(checksum, digest);
  const headers = { range: `bytes=${offset}-`, "if-range": etag };
  const isWanted = (response: Response) =>
    response.status === 206 && response.headers.get("etag") === etag;
  let remaining = size - offset;
  const request = { params: { download_id: downloadId }, query: { path } };
  const options = { headers, signal, isWanted };
  for await (const piece of transport.pieces(endpoints.downloadContent, request, options)) {
    remaining -= piece.length;
    if (remaining < 0) {
      throw new Failure(`the server at "${transport.server}" sends more bytes than the file has`);
    }
    yield piece;
  }
  if (remaining > 0) throw transport.problemOf(new Error(`${remaining} bytes are missing`), signal);
}
