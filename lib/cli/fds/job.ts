import type { JobRecord } from "../../api/jobs.ts";
import type { DownloadRecord } from "../../api/schemas.ts";
import { UsageError } from "../../util/flags.ts";
import type { ApiClient } from "../rest/api-client.ts";
import { findJobId, newestOf } from "../rest/follow-job.ts";
import { JOB_COLUMNS, jobFields } from "../terminal/job-listing.ts";
import { fieldLines } from "../terminal/listing.ts";
import { resultLine } from "../terminal/pull-result.ts";
import { type Command, type CommandContext, print } from "./command.ts";
import { printDone } from "./listing.ts";

/**
 * The maximum number of failed downloads of a job that a terminal shows. The output of `--json` contains all
 * of them.
 */
const MAX_SHOWN = 20;

type Action = (api: ApiClient, jobId: string, signal: AbortSignal) => Promise<JobRecord>;

const ACTIONS: Record<string, Action> = {
  cancel: (api, jobId, signal) => api.cancelJob(jobId, signal),
  pause: (api, jobId, signal) => api.pauseJob(jobId, signal),
  resume: (api, jobId, signal) => api.resumeJob(jobId, signal),
  rerun: (api, jobId, signal) => api.rerunJob(jobId, signal),
};

/** The command `fds job`, which shows or changes a job. */
export const job: Command = {
  words: "ID [ACTION]",
  usage: `ID [${Object.keys(ACTIONS).join("|")}]`,
  wordCount: [1, 2],
  summary: "shows, cancels, pauses, resumes or reruns a job",
  flags: {},
  notes: `cancel ends the job and its downloads; pause starts nothing more; resume goes on; rerun asks again
the clients whose newest download failed or was cancelled, also of a job that has ended.

The first characters of an ID are enough, as long as no other job begins with them. With --json the
record also has its failures: client, code and words of each.`,
  examples: [
    "job 0198c0de-7f00",
    "job 0198c0de-7f00 rerun",
    "job 0198c0de-7f00 --json | jq .counts",
  ],
  async run(context) {
    const { api, words, interruptions } = context;
    const [text = "", name] = words;
    const act = name === undefined ? null : ACTIONS[name];
    if (act === undefined) {
      const names = Object.keys(ACTIONS).join(", ");
      throw new UsageError(
        `unknown word "${name}", expected fds job ID, or one of ${names} behind it`,
      );
    }
    const { signal } = interruptions;
    const jobId = await findJobId(api, text, signal);
    if (act) {
      const record = await act(api, jobId, signal);
      return printDone(context, record, JOB_COLUMNS, `${name} ${record.job_id}: ${record.status}`);
    }
    const record = await api.job(jobId, signal);
    const isFailed = record.counts.failed > 0;
    const newest = isFailed ? await newestOf(api, jobId, signal) : [];
    printJob(
      context,
      record,
      newest.filter(({ status }) => status === "failed"),
    );
  },
};

function printJob(context: CommandContext, record: JobRecord, failed: DownloadRecord[]): void {
  const failures = failed.map(({ client_id, download_id, error_code, error }) => ({
    client_id,
    download_id,
    error_code,
    error,
  }));
  const more = failed.length - MAX_SHOWN;
  print(context, {
    value: { ...record, failures },
    shown: (coloured) => [
      ...jobFields(record, coloured),
      ...failed.slice(0, MAX_SHOWN).map((one) => resultLine(one, coloured)),
      ...(more > 0 ? [`… and ${more} more`] : []),
    ],
    raw: () => fieldLines({ ...record }),
  });
}
