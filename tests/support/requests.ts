import type { DownloadRequest } from "../../lib/protocol/messages.ts";

/** Makes a request for a file from its first byte on. @param max_offset the granted bytes */
export function downloadRequest(max_offset: number): DownloadRequest {
  return {
    type: "download_request",
    stream: 1,
    epoch: 1,
    download_id: "0198c0de-0000-7000-8000-000000000000",
    file_path: "file",
    chunk_size: 65_536,
    offset: 0,
    checksum: "md5",
    max_offset,
  };
}
