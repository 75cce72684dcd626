import { createHash } from "node:crypto";
import { FdsError } from "../../protocol/errors.ts";
import { nextRound } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import type { Caller } from "../access/caller.ts";
import type { Repository } from "../database/repository.ts";
import type { IdempotencyKey, Job, JobPlan } from "../job.ts";
import { SelectedClients } from "./choice.ts";

/** How long an idempotency key is remembered, in ms. */
const KEY_LIFETIME_MS = 24 * 3_600_000;

/** The number of clients that are added at once, before other work can run. */
const PAGE = 200;

/** A request of an operator for a job. */
export interface NewJob extends JobPlan {
  /** The whole request, by which a repetition is recognized. */
  request: unknown;
}

/** The fields of a job that its {@link JobPlan} does not have: id, maker, expiry, and the schedule's time. */
export interface JobOrigin extends Pick<
  Job,
  "createdBy" | "createdWith" | "expiresAt" | "jobId" | "occurrence"
> {
  now: number;
}

/** Makes jobs: selects their clients, and writes the rows. */
export class JobMaking {
  readonly #byKey = new SerialQueue();

  constructor(
    private readonly repository: Pick<Repository, "getClient" | "jobs" | "listClients">,
  ) {}

  /**
   * Returns the ids of the selected clients that the caller may see.
   * @throws FdsError `client_not_found`, `invalid_request`
   */
  async choose({ selection, membership }: NewJob, caller: Caller): Promise<string[]> {
    const selected = new SelectedClients(selection, this.repository);
    const found: string[] = [];
    for await (const page of selected.clients(caller.sites)) {
      found.push(...page.map(({ clientId }) => clientId));
    }
    await selected.requireKnown();
    if (found.length > 0 || membership === "continuous") return found;
    throw new FdsError("invalid_request", '"clients": names no client that is there');
  }

  /** Makes a job. @returns the job, or the job of an earlier request with the same key */
  create(order: NewJob, caller: Caller, key: string | null): Promise<{ job: Job; isNew: boolean }> {
    if (key === null) return this.#create(order, caller, Bun.randomUUIDv7());
    const owner = caller.tokenHash ?? caller.name ?? "";
    return this.#byKey.run(() => this.#createOnce(order, caller, { owner, key }), owner + key);
  }

  async #createOnce(order: NewJob, caller: Caller, ownedKey: { owner: string; key: string }) {
    const { jobs } = this.repository;
    const createdAt = Date.now();
    const since = createdAt - KEY_LIFETIME_MS;
    const bodyHash = hashOf(order.request);
    const known = await jobs.findKey(ownedKey.owner, ownedKey.key, since);
    if (known) requireSame(known, bodyHash);
    const job = known && (await jobs.get(known.jobId));
    if (job) return { job, isNew: false };
    // The clients are selected before the key is recorded, so that a refused request does not use up its key.
    await this.choose(order, caller);
    const key = { ...ownedKey, bodyHash, jobId: Bun.randomUUIDv7(), createdAt };
    const taken = await jobs.takeKey(key, since);
    requireSame(taken, bodyHash);
    return this.#create(order, caller, taken.jobId);
  }

  async #create(order: NewJob, caller: Caller, jobId: string) {
    const clientIds = await this.choose(order, caller);
    const { request: _, ...plan } = order;
    const now = Date.now();
    const job = await this.write(plan, clientIds, {
      jobId,
      createdBy: caller.name,
      createdWith: caller.tokenHash,
      expiresAt: plan.expiresIn === null ? null : now + plan.expiresIn,
      occurrence: null,
      now,
    });
    return { job, isNew: true };
  }

  /**
   * Writes a job and its clients, as far as they are not written yet. After a crash, the call may be
   * repeated.
   */
  async write(
    plan: JobPlan,
    clientIds: readonly string[],
    { now, ...origin }: JobOrigin,
  ): Promise<Job> {
    const { jobs } = this.repository;
    const { expiresIn: _, ...planFields } = plan;
    await jobs.draft({
      ...planFields,
      ...origin,
      status: "running",
      createdAt: now,
      endedAt: null,
      spreadFrom: now,
      rerun: null,
      unsettled: true,
      revision: 1,
    });
    for (let from = 0; from < clientIds.length; from += PAGE) {
      await jobs.addMembers(origin.jobId, clientIds.slice(from, from + PAGE));
      await nextRound();
    }
    return jobs.publish(origin.jobId);
  }
}

function requireSame(known: IdempotencyKey, bodyHash: string): void {
  if (known.bodyHash === bodyHash) return;
  throw new FdsError(
    "idempotency_conflict",
    "Use another Idempotency-Key, this one was sent with another request",
  );
}

/** Returns the hash of a request, which does not depend on the order of fields. */
function hashOf(request: unknown): string {
  return createHash("sha256")
    .update(JSON.stringify(sorted(request)))
    .digest("hex");
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, inner]) => [name, sorted(inner)]));
}
