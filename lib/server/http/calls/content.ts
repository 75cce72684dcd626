import { endpoints } from "../../../api/endpoints.ts";
import type { SetFileRecord } from "../../../api/sets.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { type Caller, canEnd } from "../../access/caller.ts";
import type { OpenCalls } from "../../access/open-calls.ts";
import type { Completed } from "../../download.ts";
import { setFileRecord } from "../../records/set-files.ts";
import type { SetRows } from "../../set.ts";
import type { Storage, StoredBytes } from "../../storage/storage.ts";
import type { MakeCall } from "../call.ts";
import { contentResponse } from "../content.ts";
import { endableBody } from "../endable-body.ts";
import { listAnswer } from "../long-list.ts";
import { openSetFile, savedPathOf, setContentResponse } from "../set-content.ts";
import { aboutOf, type Seeing, seenDownload } from "./seen-download.ts";

export interface ContentCallsOptions extends Seeing {
  storage: Pick<Storage, "openFile">;
  sets: SetRows;
  openCalls: OpenCalls;
}

/** What came of downloads: their files. */
export function contentCalls(call: MakeCall, options: ContentCallsOptions) {
  const { storage, sets, openCalls } = options;

  /** Makes a body end with its caller's right; the answer to HEAD has none that could go on. */
  const ending = (request: Request, caller: Caller) => (bytes: StoredBytes) =>
    request.method === "GET" && canEnd(caller)
      ? endableBody(bytes instanceof Blob ? bytes.stream() : bytes, caller, openCalls)
      : bytes;

  /** The file of a completed download. */
  const fileContent = async (found: Completed, request: Request, caller: Caller) => {
    if (found.savedPath === null) throw new Error("a file was published nowhere");
    const file = await storage.openFile(found.savedPath);
    if (file?.size !== found.source.totalSize) {
      throw new FdsError("not_found", "The file was removed or changed on the server's disk");
    }
    const { checksum, digest, savedPath } = found;
    return contentResponse({ checksum, digest, savedPath }, file, request, ending(request, caller));
  };

  /** A completed set as an archive, or one of its files. */
  const setContent = async (
    found: Completed,
    path: string | undefined,
    request: Request,
    caller: Caller,
  ) => {
    const stored = { rows: sets, storage };
    if (path === undefined) {
      const { headers, body } = setContentResponse(found, request, stored);
      return new Response(body && ending(request, caller)(body), { headers });
    }
    const { file, digest, savedPath } = await openSetFile(found, path, stored);
    const { checksum } = found;
    return contentResponse({ checksum, digest, savedPath }, file, request, ending(request, caller));
  };

  return {
    downloadContent: call(endpoints.downloadContent, async (c) => {
      const { caller, note } = c.var;
      const { path } = c.req.valid("query");
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      note(aboutOf(found));
      if (found.status !== "completed") {
        throw new FdsError("download_not_finished", `The download is ${found.status}`);
      }
      if (found.set) return setContent(found, path, c.req.raw, caller);
      if (path !== undefined) throw new FdsError("not_found", "The download is no set");
      return fileContent(found, c.req.raw, caller);
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
