import { JobStatus } from "../../api/jobs.ts";
import { MAX_PAGE } from "../../api/page-limit.ts";
import { oneOf, wholeNumber } from "../../util/kinds.ts";
import { JOB_COLUMNS } from "../terminal/job-listing.ts";
import { type Command, CURSOR, readFlag } from "./command.ts";
import { printListing } from "./listing.ts";

const STATUS = oneOf(JobStatus.options);
const LIMIT = wholeNumber(1, MAX_PAGE);

/** The command `fds jobs`, which lists jobs, the newest first. */
export const jobs: Command = {
  words: "",
  wordCount: [0, 0],
  summary: "the latest jobs, which ask many clients at once",
  flags: {
    status: { type: "string" },
    limit: { type: "string" },
    cursor: { type: "string" },
  },
  flagsHelp: `  --status STATUS
      only those that are ${JobStatus.options.join(", ")}
  --limit N
      at most so many, 1 to ${MAX_PAGE} (default: 50)
  --cursor CURSOR
      those that come after an earlier list, which has it as next_cursor with --json`,
  notes: `fds pull --all, -l and --ids make jobs. In a pipe: job, status, name, clients, completed, failed,
cancelled, made and end of its time, with tabs between them.`,
  examples: ["jobs --limit 10", "jobs --status failed --json"],
  async run(context) {
    const status = readFlag(context, "status", STATUS);
    const limit = readFlag(context, "limit", LIMIT);
    const cursor = readFlag(context, "cursor", CURSOR);
    const query = {
      ...(status !== undefined && { status }),
      ...(limit !== undefined && { limit: String(limit) }),
      ...(cursor !== undefined && { cursor }),
    };
    const list = await context.api.jobs(query, context.interruptions.signal);
    printListing(context, list, {
      items: list.jobs,
      columns: JOB_COLUMNS,
      none: "No jobs yet, make one with fds pull --all",
      nextCursor: list.next_cursor,
    });
  },
};
