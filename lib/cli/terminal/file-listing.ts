import type { ClientFile } from "../../api/files.ts";
import { plainName } from "../../util/plain-text.ts";
import { formatSize } from "../../util/sizes.ts";
import type { ListingColumn } from "./listing.ts";
import { cutMiddle } from "./terminal.ts";
import { formatAge } from "./times.ts";

/** The minimum number of terminal columns in which a name can be recognized by its two ends. */
const NAME_COLUMNS = 15;

/** The columns of the list of a client's files and folders. */
export const FILE_COLUMNS: ListingColumn<ClientFile>[] = [
  {
    title: "name",
    importance: 10,
    minWidth: NAME_COLUMNS,
    cut: cutMiddle,
    shown: ({ name, type }) =>
      type === "folder"
        ? { text: `${plainName(name).replace(/\/$/, "")}/`, colour: "cyan" }
        : plainName(name),
    raw: ({ type }) => type,
  },
  {
    title: "size",
    right: true,
    importance: 9,
    shown: ({ size }) => (size === null ? "" : formatSize(size)),
    raw: ({ size }) => size,
  },
  {
    title: "changed",
    right: true,
    importance: 8,
    shown: ({ modified_at }) => formatAge(modified_at),
    raw: ({ modified_at }) => modified_at,
  },
  {
    title: "path",
    importance: 1,
    minWidth: NAME_COLUMNS,
    cut: cutMiddle,
    // The cell is empty for a root of the client, whose name is already its path.
    shown: ({ name, path }) => (path === name ? "" : plainName(path)),
    raw: ({ path }) => plainName(path),
  },
];
