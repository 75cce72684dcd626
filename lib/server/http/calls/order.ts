import type * as z from "zod";
import { DEFAULT_FILE, type DownloadOrder } from "../../../api/schemas.ts";
import { MAX_SET_FILES } from "../../../protocol/messages.ts";
import type { JobClients, NewJob } from "../../../api/jobs.ts";
import type { Keep as RequestedKeep } from "../../../api/keep.ts";
import type { Order } from "../../download.ts";
import type { JobPlan, Selection } from "../../job.ts";
import type { Keep } from "../../keep.ts";

type RequestedDownload = z.output<typeof DownloadOrder>;

/** Returns the name of a requested download for people: its file, or the patterns of its set. */
export function nameOfOrder({ file_path, paths }: RequestedDownload): string {
  return paths?.join(" ") ?? file_path ?? DEFAULT_FILE;
}

/**
 * Converts the body of a request to an {@link Order}, which says what a download fetches and how. The result
 * lacks the client, the job and the local time.
 */
export function orderOf(body: RequestedDownload): Omit<Order, "clientId" | "jobId" | "localTime"> {
  const { paths, checksum, rate_limit: rateLimit } = body;
  const set = paths && {
    paths,
    exclude: body.exclude ?? [],
    minAgeMs: body.min_age ?? 0,
    unchanged: body.unchanged ?? "send",
    strict: body.strict ?? false,
    ifNone: body.if_none ?? "fail",
    maxFiles: body.max_files ?? MAX_SET_FILES,
    maxBytes: body.max_bytes ?? null,
  };
  return { filePath: nameOfOrder(body), set: set ?? null, checksum, rateLimit };
}

/**
 * Converts the body of a request to a {@link JobPlan}, a job that is not made yet.
 * @param download the JSON that describes the job's downloads, unchanged from the request
 */
export function planOf(body: Omit<z.output<typeof NewJob>, "dry_run">, download: unknown): JobPlan {
  const { clients, stop_when: stop } = body;
  return {
    name: body.name ?? null,
    selection: selectionOf(clients),
    membership: body.membership,
    order: { ...orderOf(body.download), ifOffline: body.download.if_offline },
    download,
    maxConcurrent: body.max_concurrent ?? null,
    spreadMs: body.spread ?? 0,
    stopWhen: stop ? { failedPercent: stop.failed_percent, atLeast: stop.at_least } : null,
    keep: keepOf(body.keep),
    expiresIn: body.expires_in ?? null,
  };
}

/** Converts the choice of clients in a request to a selection. */
export function selectionOf({ all, ids, labels }: z.output<typeof JobClients>): Selection {
  return all ? { all: true } : { ids, labels };
}

/** Converts the rule of retention in a request; null: the request has no rule. */
export function keepOf(keep: z.output<typeof RequestedKeep> | null | undefined): Keep | null {
  return keep ? { days: keep.days ?? null, last: keep.last ?? null } : null;
}
