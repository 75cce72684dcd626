import type { ChecksumAlgorithm } from "../../protocol/checksum.ts";
import type { WantedFile } from "../../protocol/messages.ts";
import type { WantedSetFile } from "../set.ts";
import type { SetFolder } from "../storage/storage.ts";
import { hashPart } from "./set-writer.ts";

/**
 * The request for a file; for an unfinished one, with what proves its bytes. A part with fewer bytes than
 * recorded starts again.
 */
export function describeWanted(
  file: WantedSetFile,
  folder: SetFolder,
  checksum: ChecksumAlgorithm,
): WantedFile | Promise<WantedFile> {
  const { index, path, root, durableOffset, place } = file;
  if (durableOffset === 0 || place === null) return { index, path, root };
  return describeBegun(file, place, folder, checksum);
}

async function describeBegun(
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
