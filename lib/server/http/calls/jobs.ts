import type * as z from "zod";
import { endpoints } from "../../../api/endpoints.ts";
import type { JobAccepted, JobPreview, NewJob as NewJobBody } from "../../../api/jobs.ts";
import { FdsError } from "../../../protocol/errors.ts";
import { type Caller, OutOfScope } from "../../access/caller.ts";
import type { Clients } from "../../clients/clients.ts";
import type { Downloads } from "../../downloads/downloads.ts";
import type { Job, JobTotals } from "../../job.ts";
import type { Jobs } from "../../jobs/jobs.ts";
import { jobNotFound } from "../../jobs/refusals.ts";
import type { NewJob } from "../../jobs/making.ts";
import { jobRecord, mayChange } from "../../records/jobs.ts";
import { clientRecord } from "../../records/records.ts";
import type { MakeCall } from "../call.ts";
import { json, type JsonResponse, typed } from "../json.ts";
import { listAnswer } from "../long-list.ts";
import { planOf } from "./order.ts";

export interface JobCallsOptions {
  jobs: Jobs;
  clients: Pick<Clients, "list">;
  downloads: Pick<Downloads, "countActive">;
}

/** The key of a request: what a header may hold, and of a length. */
const IDEMPOTENCY_KEY = /^[\x21-\x7e]{1,255}$/;

/** The calls about jobs. */
export function jobCalls(call: MakeCall, options: JobCallsOptions) {
  const { jobs, clients, downloads } = options;

  /** A job with what a caller sees of it. @throws FdsError `job_not_found` */
  const seen = async (jobId: string, caller: Caller): Promise<[Job, JobTotals]> => {
    const job = await jobs.get(jobId);
    const totals = await jobs.totals(jobId, caller.sites);
    if (totals.total === 0 && !mayChange(job, caller)) throw new OutOfScope(jobNotFound(), "");
    return [job, totals];
  };

  /** Changes a job. @throws FdsError `job_not_found`; `forbidden` */
  const changed = async (
    jobId: string,
    caller: Caller,
    change: (jobId: string) => Promise<Job>,
  ) => {
    const [job] = await seen(jobId, caller);
    if (!mayChange(job, caller)) {
      throw new FdsError(
        "forbidden",
        "Use the token that made the job, or one that sees all sites",
      );
    }
    const after = await change(jobId);
    return json(jobRecord(after, await jobs.totals(jobId, caller.sites), caller));
  };

  return {
    createJob: call(
      endpoints.createJob,
      async (c): Promise<JsonResponse<JobAccepted | JobPreview>> => {
        const body = c.req.valid("json");
        const { caller, answering } = c.var;
        const key = c.req.header("Idempotency-Key") ?? null;
        if (key !== null && !IDEMPOTENCY_KEY.test(key)) {
          throw new FdsError(
            "invalid_request",
            '"Idempotency-Key" must be 1 to 255 visible characters',
          );
        }
        const request = await c.req.json<{ download: unknown }>();
        const order = newJobOf(body, request);
        if (body.dry_run) {
          const chosen = await jobs.choose(order, caller);
          const active = await downloads.countActive();
          const answer = await listAnswer(answering, {
            name: "clients",
            also: { total: chosen.length },
            read: (after, limit) => {
              const from = after === undefined ? 0 : chosen.indexOf(after) + 1;
              const among = new Set(chosen.slice(from, from + limit));
              return answering.inTurn(() => clients.list({ among, limit }));
            },
            idOf: ({ clientId }) => clientId,
            record: (client) => clientRecord(client, active.get(client.clientId) ?? 0),
          });
          return typed<JobPreview>(answer);
        }
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
      const [job, totals] = await seen(c.req.param("job_id"), c.var.caller);
      return json(jobRecord(job, totals, c.var.caller));
    }),

    changeJob: call(endpoints.changeJob, (c) => {
      const { expires_at, max_concurrent: maxConcurrent } = c.req.valid("json");
      const jobId = c.req.param("job_id");
      c.var.note({ target: jobId });
      const expiresAt = typeof expires_at === "string" ? Date.parse(expires_at) : expires_at;
      return changed(jobId, c.var.caller, (id) => jobs.change(id, { expiresAt, maxConcurrent }));
    }),

    cancelJob: call(endpoints.cancelJob, (c) => {
      c.var.note({ target: c.req.param("job_id") });
      return changed(c.req.param("job_id"), c.var.caller, (id) => jobs.cancel(id));
    }),

    pauseJob: call(endpoints.pauseJob, (c) => {
      c.var.note({ target: c.req.param("job_id") });
      return changed(c.req.param("job_id"), c.var.caller, (id) => jobs.pause(id));
    }),

    resumeJob: call(endpoints.resumeJob, (c) => {
      c.var.note({ target: c.req.param("job_id") });
      return changed(c.req.param("job_id"), c.var.caller, (id) => jobs.resume(id));
    }),

    rerunJob: call(endpoints.rerunJob, (c) => {
      const statuses = c.req.valid("json").statuses ?? ["failed", "cancelled"];
      c.var.note({ target: c.req.param("job_id") });
      return changed(c.req.param("job_id"), c.var.caller, (id) => jobs.rerun(id, statuses));
    }),
  };
}

function newJobOf(body: z.output<typeof NewJobBody>, request: { download: unknown }): NewJob {
  return { ...planOf(body, request.download), request };
}
