import { CHECKSUM_ALGORITHMS } from "../../api/checksums.ts";
import { DEFAULT_FILE, MIN_RATE_LIMIT, NewDownload } from "../../api/schemas.ts";
import { readSetting, UsageError } from "../../util/flags.ts";
import { type Kind, oneOf, size } from "../../util/kinds.ts";
import { CLIENT_ID } from "../client-id.ts";
import { Failure } from "../program.ts";
import { someOf } from "../terminal/terminal.ts";
import { type CommandContext, readFlag } from "./command.ts";
import { readSet } from "./pull-set.ts";

/** Flags that go into the request as they are: name of the flag and of the field. */
const REQUEST_FLAGS = {
  "if-offline": { field: "if_offline", kind: oneOf(["wait", "fail"]) },
  checksum: { field: "checksum", kind: oneOf(CHECKSUM_ALGORITHMS) },
  "rate-limit": { field: "rate_limit", kind: size(MIN_RATE_LIMIT) },
} satisfies Record<string, { field: keyof NewDownload; kind: Kind<string | number> }>;

/** The requests that `fds pull` makes. */
export interface PullRequests {
  requests: NewDownload[];
  /** With `--all`: clients that are not asked, as they are not connected. */
  leftOut: string[];
}

/**
 * Reads what `fds pull` is to ask for.
 * @throws UsageError for a wrong word or flag
 * @throws Failure where nobody can be asked
 */
export async function readRequests(context: CommandContext): Promise<PullRequests> {
  const { words, values } = context;
  const [client, files] = values["all"] ? [undefined, words] : [words[0], words.slice(1)];
  const what = readSet(context, files) ?? { file_path: readFile(files[0] ?? DEFAULT_FILE) };
  const others = readRequestFlags(context);
  const request = (client_id: string): NewDownload => ({ client_id, ...what, ...others });
  if (values["all"]) {
    const { asked, leftOut } = await chooseClients(context, others.if_offline);
    return { requests: asked.map(request), leftOut };
  }
  if (client === undefined) {
    throw new UsageError("CLIENT is missing, expected fds pull CLIENT [FILE…], or --all");
  }
  const id = readSetting({ source: "CLIENT", text: client }, CLIENT_ID.schema, CLIENT_ID.expected);
  return { requests: [request(id)], leftOut: [] };
}

/**
 * Chooses the clients of `--all`: those that are connected, and with `--if-offline` the others too.
 * One that was revoked never comes again.
 */
async function chooseClients(
  { api, values, interruptions }: CommandContext,
  ifOffline: NewDownload["if_offline"],
) {
  if (values["output"] !== undefined) {
    throw new UsageError("--output is for one client, expected fds pull CLIENT [FILE…] -o PATH");
  }
  const known = await api.clients(interruptions.signal);
  const clients = known.filter(({ revoked_at }) => revoked_at === null);
  const isAsked = ({ connected }: { connected: boolean }) => connected || ifOffline !== undefined;
  const asked = clients.filter(isAsked).map(({ client_id }) => client_id);
  const leftOut = clients.filter((one) => !isAsked(one)).map(({ client_id }) => client_id);
  if (asked.length > 0) return { asked, leftOut };
  throw new Failure(
    leftOut.length === 0
      ? 'start a client, "bun run client --id restaurant-001": none is connected'
      : `pass --if-offline wait to wait for them, none is connected: ${someOf(leftOut)}`,
  );
}

function readRequestFlags(context: CommandContext): Partial<NewDownload> {
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
