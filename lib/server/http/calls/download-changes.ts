import { endpoints } from "../../../api/endpoints.ts";
import { mayActAs } from "../../../api/roles.ts";
import { FdsError } from "../../../protocol/errors.ts";
import type { Download } from "../../download.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import type { Retention } from "../../retention/retention.ts";
import { downloadRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { accepted } from "./accepted.ts";
import { aboutOf, type DownloadLookup, seenDownload } from "./seen-download.ts";

export interface DownloadChangeCallsOptions extends DownloadLookup {
  downloads: Downloads;
  retention: Pick<Retention, "hold" | "remove">;
}

/** Builds the handlers of the REST calls that change downloads: limit, cancel, retry, hold and remove. */
export function downloadChangeCalls(call: MakeCall, options: DownloadChangeCallsOptions) {
  const { downloads, retention } = options;
  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  return {
    changeDownload: call(endpoints.changeDownload, async (c) => {
      const { caller, note } = c.var;
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      const { rate_limit: rateLimit, hold } = c.req.valid("json");
      note({ ...aboutOf(found), ...(hold !== undefined && { target: hold ? "hold" : "release" }) });
      if (hold !== undefined && !mayActAs(caller.role, "admin")) {
        throw new FdsError("forbidden", 'Use a token of the role "admin" to hold or release');
      }
      const { downloadId } = found;
      let after = found;
      if (rateLimit !== undefined) after = await downloads.limitRate(downloadId, rateLimit);
      if (hold !== undefined) after = await retention.hold(downloadId, hold);
      return json(record(after));
    }),

    removeContent: call(endpoints.removeContent, async (c) => {
      const { caller, note } = c.var;
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      note(aboutOf(found));
      return json(record(await retention.remove(found.downloadId)));
    }),

    cancelDownload: call(endpoints.cancelDownload, async (c) => {
      const { caller, note } = c.var;
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      note(aboutOf(found));
      return json(record(await downloads.cancel(found.downloadId)));
    }),

    retryDownload: call(endpoints.retryDownload, async (c) => {
      const { caller, note } = c.var;
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      note(aboutOf(found));
      const made = await downloads.retry(found.downloadId);
      const what = made.set ? "The set" : "The file";
      return accepted(made, `${what} is queued again, as a new download`, "../");
    }),
  };
}
