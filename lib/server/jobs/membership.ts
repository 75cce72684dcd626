import { Chosen } from "../../api/chosen-clients.ts";
import { nextRound } from "../../util/fair-turns.ts";
import { sitesOfMaker } from "../access/maker.ts";
import { areOf } from "../access/sites.ts";
import type { Client, Repository } from "../database/repository.ts";
import type { Job } from "../job.ts";
import { hasExpired } from "./status.ts";

/** The number of clients that are read at once, before other work can run. */
const PAGE = 200;

export interface MembershipOptions {
  repository: Pick<Repository, "access" | "getClient" | "jobs" | "listClients">;
  join: (job: Job, clientIds: string[]) => Promise<void>;
  pause: (job: Job) => Promise<unknown>;
}

/**
 * Adds clients to continuous jobs, which take new clients until they expire. This happens when a client
 * registers, when its labels change, and when the server starts, because an earlier process may have missed
 * some clients.
 */
export class Membership {
  constructor(private readonly options: MembershipOptions) {}

  /** Adds a client to each job that it now belongs to, among those that still take new clients. */
  async consider(clientId: string): Promise<void> {
    const { repository } = this.options;
    const jobs = await repository.jobs.continuous();
    if (jobs.length === 0) return;
    const client = await repository.getClient(clientId);
    if (client) for (const job of jobs) await this.#consider(job, [client]);
  }

  /** Adds to a job all clients that now belong to it. */
  async sweep(job: Job): Promise<void> {
    const { repository } = this.options;
    for (let after: string | undefined, isMore = true; isMore;) {
      const clients = await repository.listClients({ after, limit: PAGE });
      await this.#consider(job, clients);
      after = clients.at(-1)?.clientId;
      isMore = clients.length === PAGE;
      await nextRound();
    }
  }

  async #consider(job: Job, clients: readonly Client[]): Promise<void> {
    if (hasExpired(job, Date.now())) return;
    const sites = await sitesOfMaker(job.createdWith, this.options.repository.access);
    if (sites === "none") return void (await this.options.pause(job));
    const chosen = new Chosen(job.selection);
    const members = clients.filter(
      ({ clientId, labels, revokedAt }) =>
        chosen.has(clientId, labels, revokedAt !== null) && areOf(sites, clientId, labels),
    );
    if (members.length === 0) return;
    await this.options.join(
      job,
      members.map(({ clientId }) => clientId),
    );
  }
}
