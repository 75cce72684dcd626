import type * as z from "zod";
import { DEFAULT_FILE, type DownloadOrder } from "../../../api/schemas.ts";
import { MAX_SET_FILES } from "../../../protocol/messages.ts";
import type { Order } from "../../download.ts";

type Asked = z.output<typeof DownloadOrder>;

/** The file that is asked for, or the patterns of a set, for people. */
export function nameOfOrder({ file_path, paths }: Asked): string {
  return paths?.join(" ") ?? file_path ?? DEFAULT_FILE;
}

/** What is asked for, of whichever client. */
export function orderOf(body: Asked): Omit<Order, "clientId" | "jobId" | "localTime"> {
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
