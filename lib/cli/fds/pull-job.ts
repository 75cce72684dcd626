import * as z from "zod";
import { IdPattern } from "../../api/enrolment.ts";
import { MAX_JOB_IDS, type NewJob } from "../../api/jobs.ts";
import { MAX_KEPT_DAYS, MAX_KEPT_LAST } from "../../api/keep.ts";
import type { ClientRecord, DownloadRecord } from "../../api/schemas.ts";
import { parseSelector, SelectorError } from "../../api/selector.ts";
import { howToRun } from "../../util/build.ts";
import { parseDuration } from "../../util/durations.ts";
import { type Flag, readSetting, UsageError } from "../../util/flags.ts";
import { DURATION, type Kind, wholeNumber } from "../../util/kinds.ts";
import { matchesWildcard } from "../../util/wildcard.ts";
import { Failure } from "../program.ts";
import { ApiCallError } from "../rest/api-errors.ts";
import { followJob } from "../rest/follow-job.ts";
import { joinFirst, paint } from "../terminal/terminal.ts";
import { type CommandContext, readFlag } from "./command.ts";
import { followToTheEnd } from "./pull-attended.ts";
import { readOrder } from "./pull-requests.ts";
import { closingLine, printAll, type PullResults, problemsOf } from "./pull-results.ts";
import { printLacks } from "./pull-lacks.ts";

/** Flags of `fds pull` that choose many clients, and flags for options of the job that pulls from them. */
export const CHOICE_FLAGS = {
  all: { type: "boolean" },
  labels: { type: "string", short: "l" },
  ids: { type: "string", multiple: true },
  name: { type: "string" },
  "expires-in": { type: "string" },
  "max-concurrent": { type: "string" },
  spread: { type: "string" },
  "keep-days": { type: "string" },
  "keep-last": { type: "string" },
} satisfies Record<string, Flag>;

export const CHOICE_FLAGS_HELP = `  --all
      pull from every client that is connected: fds pull --all [FILE…]
  --labels SELECTOR, -l SELECTOR
      pull from clients with such labels, such as region=west,tier!=test
  --ids GLOB
      pull from clients with such ids, a * stands for any characters; repeatable
  --name NAME
      of many: what the job is called
  --expires-in DURATION
      of many: what waits then fails, such as 12h (default: it waits)
  --max-concurrent N
      of many: so many at once (default: as many as the server has slots for)
  --spread DURATION
      of many: spread the starts over so long, such as 15m
  --keep-days N, --keep-last N
      of many: remove what came after so many days, but keep the last N of each client (default: as
      the server says, which is for ever without KEEP_DAYS)`;

/** A duration such as `12h`. The value stays a text, as the API accepts the same notation. */
export const DURATION_TEXT: Kind<string> = {
  schema: z.string().refine((text) => (parseDuration(text) ?? 0) > 0),
  expected: DURATION.expected,
};
const GLOB: Kind<string> = { schema: IdPattern, expected: 'an id, or a pattern such as "till-*"' };
const NAME: Kind<string> = {
  schema: z.string().trim().min(1).max(200),
  expected: "1 to 200 characters",
};

/**
 * Refuses flags that a pull from a single client would ignore. The flags that choose many clients are not
 * given then.
 * @throws UsageError
 */
export function refuseFlagsOfMany({ values }: CommandContext): void {
  const flag = Object.keys(CHOICE_FLAGS).find((name) => values[name] !== undefined);
  if (flag === undefined) return;
  throw new UsageError(`--${flag} is for many clients: choose them with --all, --labels or --ids`);
}

/** Reports whether the flags of `fds pull` choose many clients. */
export function isForMany({ values }: CommandContext): boolean {
  return Boolean(values["all"]) || values["labels"] !== undefined || values["ids"] !== undefined;
}

/**
 * Creates a job that pulls from many clients, follows the job to its end, and prints the result.
 * @throws Failure when a file did not arrive
 */
export async function pullFromMany(context: CommandContext): Promise<void> {
  const { api, err, interruptions } = context;
  const { order, leftOut, askedCount } = await readJob(context);
  if (leftOut.length > 0) printLeftOut(context, leftOut, askedCount);
  const { job_id, total } = await api.createJob(order, interruptions.signal);
  const remark = `job ${job_id}  ${total} ${total === 1 ? "client" : "clients"}`;
  if (!err.live) err.write(`${remark}\n`);
  const records = await followToTheEnd(context, {
    what: total === 1 ? "the download" : `the ${total} downloads`,
    id: `fds job ${job_id}`,
    follow: (options) => followJob(api, job_id, err, { ...options, withTotal: true }),
    cancel: () => api.cancelJob(job_id),
  });
  const job = await api.job(job_id, interruptions.signal);
  const results: PullResults = { ...splitOffline(records, leftOut), leftOut, job };
  for (const record of results.records) await printLacks(context, record);
  printAll(context, results);
  if (problemsOf(results).length === 0) return;
  throw new Failure(`${closingLine(results, context)}; fds job ${job_id} rerun asks again`);
}

/**
 * Moves downloads that failed with `client_not_connected` from the records to `refused`. If such a download
 * is of a client in `leftOut`, it is dropped, as this client has been reported already.
 */
function splitOffline(
  all: DownloadRecord[],
  leftOut: string[],
): Pick<PullResults, "records" | "refused"> {
  const isOffline = ({ error_code }: DownloadRecord) => error_code === "client_not_connected";
  // Clients that were left out from the start have been reported already.
  const reported = new Set(leftOut);
  const offline = all.filter((record) => isOffline(record) && !reported.has(record.client_id));
  return {
    records: all.filter((record) => !isOffline(record)),
    refused: offline.map(({ client_id, error }) => ({
      clientId: client_id,
      error: new ApiCallError(409, "client_not_connected", error ?? "it was not connected"),
    })),
  };
}

/**
 * Reads the job to create from the arguments and flags of `fds pull`. Clients that are not connected are left
 * out, unless `--if-offline` is given.
 * @throws UsageError for a wrong argument or flag
 * @throws Failure where no client is chosen, or all chosen clients are left out
 */
async function readJob(context: CommandContext) {
  const { values, words } = context;
  if (values["output"] !== undefined) {
    throw new UsageError("--output is for one client, expected fds pull CLIENT [FILE…] -o PATH");
  }
  const download = readOrder(context, words);
  const options = readOptions(context);
  const choice = readChoice(context);
  const { asked, leftOut } = await chooseClients(context, choice, download.if_offline);
  const order = { ...orderOf({ clients: choice, download }, asked, leftOut), ...options };
  return { order, leftOut, askedCount: asked.length };
}

/**
 * Returns the clients and the download of a job that pulls only from the clients in `askedIds`. Clients in
 * `leftOut` were chosen by the user, too, but are not connected. If `askedIds` is longer than MAX_JOB_IDS,
 * the job is for all chosen clients, and its downloads from clients that are not connected fail at once.
 */
export function orderOf(
  { clients, download }: Pick<NewJob, "clients" | "download">,
  askedIds: string[],
  leftOut: string[],
): Pick<NewJob, "clients" | "download"> {
  if (leftOut.length === 0) return { clients, download };
  if (askedIds.length <= MAX_JOB_IDS) return { clients: { ids: askedIds }, download };
  return { clients, download: { ...download, if_offline: "fail" } };
}

/**
 * Reads `--all`, `--labels` and `--ids`, which choose the clients.
 * @throws UsageError for a wrong value, and for `--all` together with `--labels` or `--ids`
 */
export function readChoice({ values }: CommandContext): NewJob["clients"] {
  const { all, labels } = values;
  if (all) {
    if (labels === undefined && values["ids"] === undefined) return { all: true };
    throw new UsageError("--all is for every client, leave out --labels and --ids");
  }
  const ids = [values["ids"] ?? []]
    .flat()
    .map((text) =>
      readSetting({ source: "--ids", text: String(text) }, GLOB.schema, GLOB.expected),
    );
  return {
    ...(ids.length > 0 && { ids }),
    ...(labels !== undefined && { labels: readSelector(String(labels)) }),
  };
}

/**
 * Checks a label selector, and returns the selector unchanged.
 * @throws UsageError with the position of the error
 */
export function readSelector(text: string): string {
  try {
    parseSelector(text);
    return text;
  } catch (error) {
    if (!(error instanceof SelectorError)) throw error;
    throw new UsageError(`--labels "${text.slice(0, 100)}" ${error.message}`);
  }
}

/**
 * Reads the flags for the job's options, such as `--name` and `--spread`.
 * @throws UsageError for a wrong value
 */
export function readOptions(
  context: CommandContext,
): Partial<Omit<NewJob, "dry_run" | "membership">> {
  const name = readFlag(context, "name", NAME);
  const expires_in = readFlag(context, "expires-in", DURATION_TEXT);
  const spread = readFlag(context, "spread", DURATION_TEXT);
  const max_concurrent = readFlag(context, "max-concurrent", wholeNumber(1, 100_000));
  const days = readFlag(context, "keep-days", wholeNumber(1, MAX_KEPT_DAYS));
  const last = readFlag(context, "keep-last", wholeNumber(1, MAX_KEPT_LAST));
  const keep = { ...(days !== undefined && { days }), ...(last !== undefined && { last }) };
  return {
    ...(name !== undefined && { name }),
    ...(expires_in !== undefined && { expires_in }),
    ...(spread !== undefined && { spread }),
    ...(max_concurrent !== undefined && { max_concurrent }),
    ...(Object.keys(keep).length > 0 && { keep }),
  };
}

async function chooseClients(
  { api, interruptions }: CommandContext,
  { ids, labels }: NewJob["clients"],
  ifOffline: "wait" | "fail" | undefined,
) {
  const candidates = await api.clientsWith(
    labels === undefined ? {} : { labels },
    interruptions.signal,
  );
  const isChosen = ({ client_id, revoked_at }: ClientRecord) => {
    if (ids?.includes(client_id)) return true;
    const isNamed = !ids || ids.some((id) => matchesWildcard(id, client_id));
    // A revoked client never connects again, so only its exact id chooses it.
    return isNamed && revoked_at === null;
  };
  const clients = candidates.filter(isChosen);
  const isAsked = ({ connected }: ClientRecord) => connected || ifOffline !== undefined;
  const asked = clients.filter(isAsked).map(({ client_id }) => client_id);
  const leftOut = clients.filter((one) => !isAsked(one)).map(({ client_id }) => client_id);
  if (asked.length > 0) return { asked, leftOut };
  if (leftOut.length > 0) {
    const names = joinFirst(leftOut);
    throw new Failure(`pass --if-offline wait to wait for them, none is connected: ${names}`);
  }
  throw new Failure(
    ids || labels
      ? "look at them with fds clients, no client is meant"
      : `start a client, "${howToRun("client")} --id restaurant-001": none is connected`,
  );
}

function printLeftOut({ err }: CommandContext, leftOut: string[], askedCount: number): void {
  const [are, them] = leftOut.length === 1 ? ["is", "it"] : ["are", "them"];
  const count = `${leftOut.length} of ${leftOut.length + askedCount} clients ${are} not connected`;
  const text = `${count} and left out: ${joinFirst(leftOut)} (--if-offline wait waits for ${them})`;
  err.write(`${paint(text, "yellow", err.colour)}\n`);
}
