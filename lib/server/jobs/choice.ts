import { Chosen } from "../../api/chosen-clients.ts";
import { nextRound } from "../../util/fair-turns.ts";
import { OutOfScope } from "../access/caller.ts";
import type { Sites } from "../access/sites.ts";
import { clientNotFound } from "../clients/clients.ts";
import type { Client, Repository } from "../database/repository.ts";
import type { Selection } from "../job.ts";

/** The number of clients that are read at once, before other work can run. */
const PAGE = 200;

/** Finds the clients that a selection selects. */
export class SelectedClients {
  readonly #chosen: Chosen;
  readonly #unknown: Set<string>;

  constructor(
    selection: Selection,
    private readonly repository: Pick<Repository, "getClient" | "listClients">,
  ) {
    this.#chosen = new Chosen(selection);
    this.#unknown = new Set(this.#chosen.named);
  }

  /**
   * Yields the selected clients that a caller may see, in batches.
   * @param sites the clients that the caller may see; null: all
   */
  async *clients(sites: Sites | null): AsyncGenerator<Client[]> {
    const chosen = this.#chosen;
    const ids = chosen.hasOnlyExactIds ? { are: "in" as const, ids: chosen.named } : undefined;
    // If ids are given, the query does not filter by labels. If it did, a client with a given id but other
    // labels would count as unknown.
    const selector = chosen.named.size > 0 ? undefined : (chosen.selector ?? undefined);
    for (let after: string | undefined, isMore = true; isMore;) {
      const page = await this.repository.listClients({ after, ids, sites, selector, limit: PAGE });
      for (const { clientId } of page) this.#unknown.delete(clientId);
      yield page.filter(({ clientId, labels, revokedAt }) =>
        chosen.has(clientId, labels, revokedAt !== null),
      );
      after = page.at(-1)?.clientId;
      isMore = page.length === PAGE;
      await nextRound();
    }
  }

  /** Checks that a client was found for each given id. @throws FdsError `client_not_found` */
  async requireKnown(): Promise<void> {
    for (const clientId of this.#unknown) {
      const isThere = (await this.repository.getClient(clientId)) !== null;
      throw isThere ? new OutOfScope(clientNotFound(clientId), clientId) : clientNotFound(clientId);
    }
  }
}
