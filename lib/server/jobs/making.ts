import { createHash } from "node:crypto";
import { Chosen } from "../../api/chosen-clients.ts";
import { FdsError } from "../../protocol/errors.ts";
import { nextRound } from "../../util/fair-turns.ts";
import { SerialQueue } from "../../util/serial-queue.ts";
import { type Caller, OutOfScope } from "../access/caller.ts";
import { clientNotFound } from "../clients/clients.ts";
import type { Repository } from "../database/repository.ts";
import type { IdempotencyKey, Job } from "../job.ts";

/** An idempotency key stands for its request so long, in ms. */
const KEY_LIFETIME_MS = 24 * 3_600_000;

/** Clients that are looked at before others have their turn. */
const PAGE = 200;

/** What an operator asks for. */
export interface NewJob extends Pick<
  Job,
  | "download"
  | "keep"
  | "maxConcurrent"
  | "membership"
  | "name"
  | "order"
  | "selection"
  | "spreadMs"
  | "stopWhen"
> {
  /** Its time is over after so long, in ms; null: never. */
  expiresIn: number | null;
  /** The whole request, to know it again. */
  request: unknown;
}

/** Makes jobs: chooses their clients, and writes them down. */
export class JobMaking {
  readonly #byKey = new SerialQueue();

  constructor(
    private readonly repository: Pick<Repository, "getClient" | "jobs" | "listClients">,
  ) {}

  /**
   * The clients that an order is for, of those that the caller sees.
   * @throws FdsError `client_not_found`, `invalid_request`
   */
  async choose({ selection, membership }: NewJob, caller: Caller): Promise<string[]> {
    const chosen = new Chosen(selection);
    const ids = chosen.isOfNamesAlone ? { are: "in" as const, ids: chosen.named } : undefined;
    // Also those that have other labels: only then it is known which ids there are.
    const selector = chosen.named.size > 0 ? undefined : (chosen.selector ?? undefined);
    const found: string[] = [];
    const unknown = new Set(chosen.named);
    for (let after: string | undefined, isMore = true; isMore;) {
      const filter = { after, ids, sites: caller.sites, selector, limit: PAGE };
      const page = await this.repository.listClients(filter);
      for (const { clientId, labels, revokedAt } of page) {
        unknown.delete(clientId);
        if (chosen.has(clientId, labels, revokedAt !== null)) found.push(clientId);
      }
      after = page.at(-1)?.clientId;
      isMore = page.length === PAGE;
      await nextRound();
    }
    for (const clientId of unknown) await this.#refuse(clientId);
    if (found.length > 0 || membership === "continuous") return found;
    throw new FdsError("invalid_request", '"clients": names no client that is there');
  }

  /** @returns the job of an earlier request, where the key is that of one */
  create(order: NewJob, caller: Caller, key: string | null): Promise<{ job: Job; isNew: boolean }> {
    if (key === null) return this.#create(order, caller, Bun.randomUUIDv7());
    const owner = caller.tokenHash ?? caller.name ?? "";
    return this.#byKey.run(() => this.#createOnce(order, caller, { owner, key }), owner + key);
  }

  async #createOnce(order: NewJob, caller: Caller, by: { owner: string; key: string }) {
    const { jobs } = this.repository;
    const createdAt = Date.now();
    const since = createdAt - KEY_LIFETIME_MS;
    const bodyHash = hashOf(order.request);
    const known = await jobs.findKey(by.owner, by.key, since);
    if (known) requireSame(known, bodyHash);
    const job = known && (await jobs.get(known.jobId));
    if (job) return { job, isNew: false };
    // What is refused takes no key.
    await this.choose(order, caller);
    const key = { ...by, bodyHash, jobId: Bun.randomUUIDv7(), createdAt };
    const taken = await jobs.takeKey(key, since);
    requireSame(taken, bodyHash);
    return this.#create(order, caller, taken.jobId);
  }

  async #create(order: NewJob, caller: Caller, jobId: string) {
    const clientIds = await this.choose(order, caller);
    const { jobs } = this.repository;
    const { expiresIn, request: _, ...asked } = order;
    const now = Date.now();
    await jobs.draft({
      ...asked,
      jobId,
      status: "running",
      createdAt: now,
      createdBy: caller.name,
      createdWith: caller.tokenHash,
      expiresAt: expiresIn === null ? null : now + expiresIn,
      endedAt: null,
      spreadFrom: now,
      rerun: null,
      unsettled: true,
      revision: 1,
    });
    for (let at = 0; at < clientIds.length; at += PAGE) {
      await jobs.addMembers(jobId, clientIds.slice(at, at + PAGE));
      await nextRound();
    }
    return { job: await jobs.publish(jobId), isNew: true };
  }

  async #refuse(clientId: string): Promise<never> {
    const isThere = (await this.repository.getClient(clientId)) !== null;
    throw isThere ? new OutOfScope(clientNotFound(clientId), clientId) : clientNotFound(clientId);
  }
}

function requireSame(known: IdempotencyKey, bodyHash: string): void {
  if (known.bodyHash === bodyHash) return;
  throw new FdsError(
    "idempotency_conflict",
    "Use another Idempotency-Key, this one was sent with another request",
  );
}

/** The same for requests that say the same, in whichever order of fields. */
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
