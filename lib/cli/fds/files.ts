import { SetFileStatus } from "../../api/sets.ts";
import { howToRun } from "../../util/build.ts";
import { oneOf } from "../../util/kinds.ts";
import { Failure } from "../program.ts";
import { findDownloadId } from "../rest/download-id.ts";
import { setFilePages } from "../rest/set-file-list.ts";
import { causeOf, SET_FILE_COLUMNS, SET_FILE_FIELDS } from "../terminal/set-file-listing.ts";
import { type Command, readFlag } from "./command.ts";
import { printPages } from "./listing.ts";

const STATUS = oneOf(SetFileStatus.options);

/** The command `fds files`, which lists the files of a set. */
export const files: Command = {
  words: "ID",
  wordCount: [1, 1],
  summary: "the files of a set, and the result for each",
  flags: { status: { type: "string" } },
  flagsHelp: `  --status STATUS
      only those that are ${SetFileStatus.options.join(", ")}`,
  notes: `A set is a download of many files. In a pipe: status, size, time, path at the site, checksum, where
the server saved it, and the code and the words of why it did not come, with tabs between them.`,
  examples: ["files 0198c0de-7f00", "files 0198c0de-7f00 --status skipped"],
  async run(context) {
    const { api, words, interruptions } = context;
    const { signal } = interruptions;
    const [text = ""] = words;
    const status = readFlag(context, "status", STATUS);
    const id = await findDownloadId(api, text, signal);
    const { kind } = await api.download(id, signal);
    if (kind === "file") {
      throw new Failure(
        `look at it with "${howToRun("fds")} status ${id}": it is one file, and no set`,
      );
    }
    const listing = {
      columns: SET_FILE_COLUMNS,
      fields: SET_FILE_FIELDS,
      detailOf: causeOf,
      none: status === undefined ? "No files yet" : `No files that are ${status}`,
    };
    const pages = setFilePages(api, id, { signal, ...(status && { status }) });
    await printPages(context, pages, listing, (all) => ({ files: all, next_cursor: null }));
  },
};
