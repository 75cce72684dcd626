import {
  type ActiveLine,
  type Limits,
  limitsOfJobs,
  type Line,
  type Waiting,
} from "../database/repository.ts";

/**
 * Counts the slots that running downloads take: in total, by client, and by line. A line is the id of a job,
 * or null for all downloads without a job.
 */
export class Slots {
  readonly #jobLimits: Limits;
  #total = 0;
  #totalOfJobs = 0;
  readonly #byClient = new Map<string, number>();
  readonly #jobsByClient = new Map<string, number>();
  readonly #byLine = new Map<Line, number>();
  readonly #refusedLines = new Set<Line>();
  readonly #refusedClients = new Set<string>();

  constructor(
    private readonly limits: Limits,
    running: readonly ActiveLine[],
  ) {
    this.#jobLimits = limitsOfJobs(limits);
    for (const { clientId, line, active, own } of running)
      this.#take({ clientId, line }, active, own);
  }

  /** Reports whether no slot is free. */
  get areTaken(): boolean {
    return this.#total >= this.limits.total;
  }

  /** The number of running downloads of a job, or, if the line is null, of downloads without a job. */
  runningOf(line: Line): number {
    return this.#byLine.get(line) ?? 0;
  }

  /**
   * Reports whether a slot is free for a download of a job, or, if the line is null, for one without a job.
   */
  isFreeForLine(line: Line): boolean {
    if (this.areTaken) return false;
    return (
      line === null || (!this.#refusedLines.has(line) && this.#totalOfJobs < this.#jobLimits.total)
    );
  }

  /**
   * Reports whether a slot is free for a client's download of a job, or, if the line is null, for one without
   * a job.
   */
  isFreeForClient({ clientId, line }: Waiting): boolean {
    if (!this.isFreeForLine(line) || countIn(this.#byClient, clientId) >= this.limits.perClient) {
      return false;
    }
    if (line === null) return !this.#refusedClients.has(clientId);
    return countIn(this.#jobsByClient, clientId) < this.#jobLimits.perClient;
  }

  take(waiting: Waiting): void {
    this.#take(waiting, 1, 1);
  }

  /**
   * Makes slots count as taken after a claim found no download to start: all slots of the job, or, without a
   * job, the client's slots for downloads without a job.
   */
  refuse({ clientId, line }: Waiting): void {
    if (line === null) this.#refusedClients.add(clientId);
    else this.#refusedLines.add(line);
  }

  /**
   * Counts the slots that downloads of a client take.
   * @param count number of the client's running downloads in this line
   * @param countHere number of those that run on this server; only these count to the server's total limit
   */
  #take({ clientId, line }: Waiting, count: number, countHere: number): void {
    this.#total += countHere;
    add(this.#byClient, clientId, count);
    add(this.#byLine, line, count);
    if (line === null) return;
    this.#totalOfJobs += countHere;
    add(this.#jobsByClient, clientId, count);
  }
}

function countIn<Key>(counts: ReadonlyMap<Key, number>, key: Key): number {
  return counts.get(key) ?? 0;
}

function add<Key>(counts: Map<Key, number>, key: Key, count: number): void {
  counts.set(key, countIn(counts, key) + count);
}
