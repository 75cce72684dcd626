import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import type { WantedFile } from "../../protocol/messages.ts";
import type { WantedSetFile } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";
import { hashPart } from "./set-writer.ts";

/**
 * Returns the request for a file. For an unfinished file it includes the digest of the durable bytes, so that
 * the client can check that its file begins with the same bytes. If the part has fewer bytes than recorded,
 * the file is requested from its first byte, and `file.durableOffset` is set to 0.
 */
export function describeWanted(
  file: WantedSetFile,
  folder: SetFolder,
  checksum: ChecksumAlgorithm,
): WantedFile | Promise<WantedFile> {
  const { index, path, root, durableOffset, place } = file;
  if (durableOffset === 0 || place === null) return { index, path, root };
  return describeUnfinished(file, place, folder, checksum);
}

async function describeUnfinished(
  file: WantedSetFile,
  place: string,
  folder: SetFolder,
  checksum: ChecksumAlgorithm,
): Promise<WantedFile> {
  const { index, path, root, durableOffset } = file;
  const hash = new Bun.CryptoHasher(checksum);
  const part = await folder.openFile(place);
  try {
    if (part.size < durableOffset) {
      file.durableOffset = 0;
      return { index, path, root };
    }
    await hashPart(part, durableOffset, hash);
  } finally {
    await part.close();
  }
  return { index, path, root, offset: durableOffset, prefix: hash.digest("hex") };
}
