import { type FileComplete, type FileStart, ZSTD } from "../../protocol/messages.ts";
import { type Downloading, resolvedPath } from "../download.ts";
import { protocolError } from "./incoming-attempt.ts";
import type { StreamCommand } from "./incoming-stream.ts";

/** What the server already has of a file, and how far the client may send. */
export interface Offer {
  /** Number of durable bytes. The client is to send the file from this offset. */
  offset: number;
  /** The digest of the durable bytes below `offset`, lower-case hex. */
  prefix: string;
  /** The client may send the bytes below this offset of the file. */
  maxOffset: number;
  /** Maximum number of file bytes in a frame. */
  chunkSize: number;
}

/** Returns the message that asks a client for a download's file. */
export function fileRequest(download: Downloading, offer: Offer): StreamCommand {
  const { downloadId, source, checksum } = download;
  const { offset, prefix, maxOffset, chunkSize } = offer;
  return {
    type: "download_request",
    download_id: downloadId,
    file_path: resolvedPath(download),
    chunk_size: chunkSize,
    offset,
    checksum,
    ...(source?.identity &&
      offset > 0 && {
        resume: {
          [`prefix_${checksum}`]: prefix,
          identity: source.identity,
          total_size: source.totalSize,
        },
      }),
    max_offset: maxOffset,
    accepts: [ZSTD],
  };
}

/**
 * Checks the client's `file_start`, its answer to a request for a file.
 * @param offered the offset that the server requested
 * @throws FdsError `protocol_error`
 */
export function checkStart(message: FileStart, offered: number, download: Downloading): void {
  const { offset, total_size, identity } = message;
  if (offset > 0 && offset !== offered) {
    throw protocolError(`file_start begins at ${offset}, expected ${offered} or 0`);
  }
  if (offset > 0 && total_size !== download.source?.totalSize) {
    throw protocolError(`file_start says ${total_size} bytes, expected the size agreed before`);
  }
  if (identity.size < total_size) {
    throw protocolError("file_start offers more bytes than the file has");
  }
}

/**
 * Checks, when the client reports the end of the file, that all bytes have arrived.
 * @param arrived number of bytes that arrived
 * @throws FdsError `protocol_error`
 */
export function checkComplete(message: FileComplete, arrived: number, totalSize: number): void {
  if (message.total_size === totalSize && arrived === totalSize) return;
  const came = `${arrived} of ${totalSize} came`;
  throw protocolError(`file_complete says ${message.total_size} bytes, ${came}`);
}
