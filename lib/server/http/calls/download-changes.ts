import { endpoints } from "../../../api/endpoints.ts";
import type { Download } from "../../download.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import { downloadRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json } from "../json.ts";
import { accepted } from "./accepted.ts";
import { aboutOf, type Seeing, seenDownload } from "./seen-download.ts";

export interface DownloadChangeCallsOptions extends Seeing {
  downloads: Downloads;
}

/** Downloads are slowed down, ended, and asked for again. */
export function downloadChangeCalls(call: MakeCall, options: DownloadChangeCallsOptions) {
  const { downloads } = options;
  const record = (download: Download) => downloadRecord(download, downloads.progressOf(download));

  return {
    changeDownload: call(endpoints.changeDownload, async (c) => {
      const { caller, note } = c.var;
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      note(aboutOf(found));
      const { rate_limit: rateLimit } = c.req.valid("json");
      return json(record(await downloads.limitRate(found.downloadId, rateLimit)));
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
