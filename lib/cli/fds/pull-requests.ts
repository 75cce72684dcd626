import { CHECKSUM_ALGORITHMS } from "../../api/checksums.ts";
import {
  DEFAULT_FILE,
  type DownloadOrder,
  MIN_RATE_LIMIT,
  NewDownload,
} from "../../api/schemas.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { type Kind, oneOf, size } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import { type CommandContext, readFlag } from "./command.ts";
import { readSet } from "./pull-set.ts";

/**
 * Flags whose values are copied into a download request, each with the request's field and a check of the
 * value.
 */
const REQUEST_FLAGS = {
  "if-offline": { field: "if_offline", kind: oneOf(["wait", "fail"]) },
  checksum: { field: "checksum", kind: oneOf(CHECKSUM_ALGORITHMS) },
  "rate-limit": { field: "rate_limit", kind: size(MIN_RATE_LIMIT) },
} satisfies Record<string, { field: keyof DownloadOrder; kind: Kind<string | number> }>;

/** Reads the request that `fds pull CLIENT` sends. @throws UsageError for a wrong argument or flag */
export function readRequest(context: CommandContext): NewDownload {
  const [client, ...files] = context.words;
  const order = readOrder(context, files);
  if (client === undefined) {
    throw new UsageError("CLIENT is missing, expected fds pull CLIENT [FILE…], or --all");
  }
  const client_id = readSetting(
    { source: "CLIENT", text: client },
    CLIENT_ID.schema,
    CLIENT_ID.expected,
  );
  return { client_id, ...order };
}

/**
 * Reads which file or set to pull, and with which options.
 * @throws UsageError for a wrong argument or flag
 */
export function readOrder(context: CommandContext, files: string[]): DownloadOrder {
  const what = readSet(context, files) ?? { file_path: readFile(files[0] ?? DEFAULT_FILE) };
  return { ...what, ...readRequestFlags(context) };
}

function readRequestFlags(context: CommandContext): Partial<DownloadOrder> {
  const given = Object.entries(REQUEST_FLAGS).flatMap(([flag, { field, kind }]) => {
    const value = readFlag<string | number>(context, flag, kind);
    return value === undefined ? [] : [[field, value]];
  });
  return Object.fromEntries(given);
}

function readFile(text: string): string {
  return readSetting(
    { source: "FILE", text },
    NewDownload.shape.file_path.unwrap(),
    "the path of a file",
  );
}
