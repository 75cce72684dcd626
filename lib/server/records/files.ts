import type { ClientFile, ClientFileList } from "../../api/files.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Entry, Listing } from "../transfer/listing-receiver.ts";
import { isoTime } from "./records.ts";

/**
 * A page of a client's folder as REST shows it.
 * @param path the requested folder; null: the roots are listed
 */
export function fileListRecord(
  clientId: string,
  path: string | null,
  { entries, more, truncated }: Listing,
): ClientFileList {
  const last = entries.at(-1);
  return {
    client_id: clientId,
    path,
    entries: entries.map((entry) => fileRecord(path, entry)),
    next_cursor: more && last ? Buffer.from(last.name).toString("base64url") : null,
    truncated,
  };
}

/**
 * Decodes the cursor of a page: the name after which the page begins.
 * @throws FdsError `invalid_request` for an invalid cursor
 */
export function nameOf(cursor: string): string {
  const name = Buffer.from(cursor, "base64url").toString();
  if (name !== "" && Buffer.from(name).toString("base64url") === cursor) return name;
  throw new FdsError("invalid_request", "cursor: must be the next_cursor of an earlier answer");
}

function fileRecord(path: string | null, { name, type, size, mtime_ms }: Entry): ClientFile {
  return { name, path: pathIn(path, name), type, size, modified_at: isoTime(mtime_ms) };
}

/**
 * Returns the path by which a request names an entry of a folder. A root is named by its whole path, and the
 * folder "." is the first root.
 */
function pathIn(folder: string | null, name: string): string {
  if (folder === null || folder === ".") return name;
  return folder.endsWith("/") ? folder + name : `${folder}/${name}`;
}
