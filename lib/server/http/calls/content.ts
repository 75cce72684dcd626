import { endpoints } from "../../../api/endpoints.ts";
import type { SetFileRecord } from "../../../api/sets.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { setFileRecord } from "../../records/set-files.ts";
import type { SetRows } from "../../set.ts";
import type { MakeCall } from "../call.ts";
import { type ContentSources, downloadContent } from "../download-content.ts";
import { listAnswer } from "../long-list.ts";
import { savedPathOf } from "../set-content.ts";
import { aboutOf, type DownloadLookup, seenDownload } from "./seen-download.ts";

export interface ContentCallsOptions extends DownloadLookup, ContentSources {
  sets: SetRows;
}

/** Builds the handlers of the REST calls that return or list the files of completed downloads. */
export function contentCalls(call: MakeCall, options: ContentCallsOptions) {
  const { sets } = options;
  return {
    downloadContent: call(endpoints.downloadContent, async (c) => {
      const { caller, note } = c.var;
      const { path } = c.req.valid("query");
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      note(aboutOf(found));
      if (found.status !== "completed") {
        throw new FdsError("download_not_finished", `The download is ${found.status}`);
      }
      if (found.removedAt !== null) {
        throw new FdsError("file_removed", "What came of the download was removed");
      }
      return downloadContent(found, { request: c.req.raw, caller, path }, options);
    }),

    listSetFiles: call(endpoints.listSetFiles, async (c) => {
      const { caller, answering } = c.var;
      const { status, ...page } = c.req.valid("query");
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      const savedPath = found.status === "completed" ? found.savedPath : null;
      return listAnswer(answering, {
        name: "files",
        read: (cursor, limit) => {
          const after = cursor === undefined ? -1 : Number(cursor);
          const filter = { status, known: true, after, limit };
          return sets.list(found.downloadId, filter, answering.inTurn);
        },
        idOf: ({ index }) => String(index),
        record: (file): SetFileRecord =>
          setFileRecord(found, file, savedPathOf({ savedPath }, file)),
        page,
      });
    }),
  };
}
