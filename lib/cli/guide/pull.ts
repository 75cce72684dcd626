import type { DownloadRecord } from "../../api/schemas.ts";
import { follow, startDownloads } from "../rest/follow.ts";
import { followJob } from "../rest/follow-job.ts";
import { savedPathOf } from "../saved-path.ts";
import { resultLine, resultLines } from "../terminal/pull-result.ts";
import { joinFirst } from "../terminal/terminal.ts";
import { cutToScreen } from "./fitting.ts";
import { complain, type GuideContext, tell } from "./guide.ts";

/** The maximum number of downloads whose bars and results all fit on a small screen. */
const MAX_SHOWN = 3;

/** Returns the handler of choices 3 to 5 of the menu, which pulls the default file of one client. */
export function pullFrom(clientId: string): (context: GuideContext) => Promise<void> {
  return (context) => pull(context, clientId);
}

/** Choice 6 of the menu: pulls the default file of all connected clients, by one job. */
export async function pullFromAll(context: GuideContext): Promise<void> {
  const { target, signal } = context;
  const clients = await target.api.clients(signal);
  const connected = clients.filter((client) => client.connected);
  if (connected.length === 0) return complain(context, "No client is connected");
  const offline = clients.filter((client) => !client.connected && client.revoked_at === null);
  if (offline.length > 0) {
    tell(
      context,
      `Not connected, left out: ${joinFirst(offline.map(({ client_id }) => client_id))}`,
    );
  }
  const { out } = context;
  const chosen =
    offline.length === 0
      ? { all: true as const }
      : { ids: connected.map(({ client_id }) => client_id) };
  const job = await target.api.createJob({ clients: chosen, download: {} }, signal);
  const withTotal = job.total > MAX_SHOWN;
  const records = await followJob(target.api, job.job_id, out, { signal, withTotal });
  showResults(context, records);
  if (records.some(({ status }) => status !== "completed")) {
    tell(context, `Ask again for what failed: bun run fds job ${job.job_id} rerun`);
  }
}

async function pull(context: GuideContext, id: string): Promise<void> {
  const { target, out, signal } = context;
  const requests = [{ client_id: id, if_offline: "fail" as const }];
  const { started, refused } = await startDownloads(target.api, requests, signal);
  for (const { clientId, error } of refused) {
    complain(context, `${error.message}, start it with "bun run client --id ${clientId}"`);
  }
  if (started.length === 0) return;
  const records = await follow(target.api, started, out, { signal });
  showResults(context, records);
}

function showResults(context: GuideContext, records: DownloadRecord[]): void {
  const { target, out } = context;
  const isBrief = records.length > MAX_SHOWN;
  const lines = records.flatMap((record) =>
    isBrief
      ? resultLine(record, out.colour)
      : resultLines(record, savedPathOf(record, target.downloadsDir), out.colour),
  );
  tell(context, "", ...cutToScreen(lines, out, "start", "bun run fds downloads"));
}
