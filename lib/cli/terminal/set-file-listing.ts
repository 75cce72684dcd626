import type { SetFileRecord } from "../../api/sets.ts";
import { formatSize } from "../../util/sizes.ts";
import { plainName, plainText } from "../../util/plain-text.ts";
import type { Field, ListingColumn } from "./listing.ts";
import type { Colour } from "./terminal.ts";
import { formatAge } from "./times.ts";

const COLOURS: Record<SetFileRecord["status"], Colour> = {
  received: "green",
  unchanged: "cyan",
  skipped: "yellow",
};

/** The minimum number of terminal columns in which a path can be recognized by its end. */
const PATH_COLUMNS = 15;

/** The columns of the list of a set's files. */
export const SET_FILE_COLUMNS: ListingColumn<SetFileRecord>[] = [
  {
    title: "status",
    importance: 9,
    shown: ({ status }) => ({ text: status, colour: COLOURS[status] }),
    raw: ({ status }) => status,
  },
  {
    title: "size",
    right: true,
    importance: 8,
    shown: ({ size }) => formatSize(size),
    raw: ({ size }) => size,
  },
  {
    title: "changed",
    right: true,
    importance: 6,
    shown: ({ modified_at }) => formatAge(modified_at),
    raw: ({ modified_at }) => modified_at,
  },
  {
    title: "path",
    importance: 10,
    minWidth: PATH_COLUMNS,
    shown: ({ path }) => plainName(path),
    raw: ({ path }) => plainName(path),
  },
];

/**
 * The fields of a set's file when the list goes to a pipe: the columns, then further fields such as the
 * error.
 */
export const SET_FILE_FIELDS: Field<SetFileRecord>[] = [
  ...SET_FILE_COLUMNS,
  { raw: ({ md5, sha256 }) => md5 ?? sha256 },
  { raw: ({ saved_path }) => saved_path },
  { raw: ({ error_code }) => error_code },
  { raw: ({ error }) => error },
];

/** Returns why a file of a set was skipped; null where there is nothing to report. */
export function causeOf({ error_code, error }: SetFileRecord): string | null {
  return error_code === null ? null : `${error_code}: ${plainText(error ?? "")}`;
}
