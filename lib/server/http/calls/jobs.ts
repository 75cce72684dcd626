import type * as z from "zod";
import { endpoints } from "../../../api/endpoints.ts";
import type { JobAccepted, JobPreview, NewJob as NewJobBody } from "../../../api/jobs.ts";
import { FdsError } from "../../../protocol/errors.ts";
import type { Caller } from "../../access/caller.ts";
import type { Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import type { Job, JobTotals } from "../../job.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import type { NewJob } from "../../jobs/making.ts";
import { jobRecord } from "../../records/jobs.ts";
import { clientRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json, type JsonResponse, asJsonResponse } from "../json.ts";
import type { Answering } from "../long-answers.ts";
import { listAnswer } from "../long-list.ts";
import { planOf } from "./order.ts";
import { seenJob } from "./seen-job.ts";

export interface JobCallsOptions {
  jobs: Jobs;
  clients: Pick<Clients, "list">;
  downloads: Pick<Downloads, "countActive">;
}

/** Matches valid values of the Idempotency-Key header. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** Builds the handlers of the REST calls that create and show jobs. */
export function jobCalls(call: MakeCall, options: JobCallsOptions) {
  const { jobs } = options;
  const preview = previewHandler(options);

  return {
    createJob: call(
      endpoints.createJob,
      async (c): Promise<JsonResponse<JobAccepted | JobPreview>> => {
        const body = c.req.valid("json");
        const { caller, answering } = c.var;
        const key = keyOf(c.req.header("Idempotency-Key"));
        const request = await c.req.json<{ download: unknown }>();
        const order = newJobOf(body, request);
        if (body.dry_run) return preview(order, caller, answering);
        const job = await jobs.create(order, caller, key);
        c.var.note({ target: job.jobId, filePath: order.order.filePath });
        const { total } = await jobs.totals(job.jobId, caller.sites);
        const answer = { job_id: job.jobId, status: job.status, total };
        return json(answer, { status: 202, headers: { Location: `jobs/${job.jobId}` } });
      },
    ),

    listJobs: call(endpoints.listJobs, (c) => {
      const { caller, answering } = c.var;
      const { sites, tokenHash } = caller;
      const { status, ...page } = c.req.valid("query");
      const filter = { status, seenBy: sites && { sites, tokenHash } };
      return listAnswer(answering, {
        name: "jobs",
        read: async (before, limit) => {
          const found = await answering.inTurn(() => jobs.list({ ...filter, before, limit }));
          const rows: [Job, JobTotals][] = [];
          for (const job of found) {
            rows.push([job, await answering.inTurn(() => jobs.totals(job.jobId, sites))]);
          }
          return rows;
        },
        idOf: ([{ jobId }]) => jobId,
        record: ([job, totals]) => jobRecord(job, totals, caller),
        page,
      });
    }),

    getJob: call(endpoints.getJob, async (c) => {
      const [job, totals] = await seenJob(jobs, c.req.param("job_id"), c.var.caller);
      return json(jobRecord(job, totals, c.var.caller));
    }),
  };
}

/**
 * Checks the value of an Idempotency-Key header.
 * @returns null: the request has none
 * @throws FdsError `invalid_request`
 */
function keyOf(header: string | undefined): string | null {
  if (header === undefined) return null;
  if (IDEMPOTENCY_KEY.test(header)) return header;
  throw new FdsError("invalid_request", '"Idempotency-Key" must be 1 to 255 visible characters');
}

/** Returns a handler that lists the clients that a requested job would include, without making the job. */
function previewHandler({ jobs, clients, downloads }: JobCallsOptions) {
  return async (order: NewJob, caller: Caller, answering: Answering) => {
    const chosen = await jobs.choose(order, caller);
    const active = await downloads.countActive();
    const answer = await listAnswer(answering, {
      name: "clients",
      otherFields: { total: chosen.length },
      read: (after, limit) => {
        const from = after === undefined ? 0 : chosen.indexOf(after) + 1;
        const onlyIds = new Set(chosen.slice(from, from + limit));
        return answering.inTurn(() => clients.list({ onlyIds, limit }));
      },
      idOf: ({ clientId }) => clientId,
      record: (client) => clientRecord(client, active.get(client.clientId) ?? 0),
    });
    return asJsonResponse<JobPreview>(answer);
  };
}

function newJobOf(body: z.output<typeof NewJobBody>, request: { download: unknown }): NewJob {
  return { ...planOf(body, request.download), request };
}
