import { endpoints } from "../../../api/endpoints.ts";
import type { EventFeeds } from "../../events/event-feeds.ts";
import type { MakeCall } from "../call.ts";
import { type DownloadLookup, seenDownload } from "./seen-download.ts";

export interface EventCallsOptions extends DownloadLookup {
  feeds: Pick<EventFeeds, "all" | "forDownload">;
}

/** Builds the handlers of the REST calls that stream events. */
export function eventCalls(call: MakeCall, options: EventCallsOptions) {
  const { feeds } = options;
  return {
    events: call(endpoints.events, (c) => feeds.all(c.var.caller, c.req.raw)),

    downloadEvents: call(endpoints.downloadEvents, async (c) => {
      const { caller } = c.var;
      const found = await seenDownload(options, c.req.param("download_id"), caller);
      return feeds.forDownload(found, caller, c.req.raw);
    }),
  };
}
