import { Clients } from "../../lib/server/clients/clients.ts";
import { FlowControl } from "../../lib/server/transfer/flow-control.ts";
import type { Repository } from "../../lib/server/database/repository.ts";
import { EnrolmentKeys } from "../../lib/server/clients/enrolment.ts";
import { Downloads } from "../../lib/server/downloads/downloads.ts";
import { Jobs } from "../../lib/server/jobs/jobs.ts";
import type { Storage } from "../../lib/server/storage/storage.ts";
import { Metrics } from "../../lib/server/metrics/metrics.ts";
import { Logger } from "../../lib/util/logger.ts";
import { Life } from "../support/mortal.ts";
import { CHUNK } from "./memory-site.ts";

/**
 * Bytes of credit for all streams. Less than the file's size, so that streams have to wait for new credit.
 */
export const BUDGET = 3 * CHUNK;
/** Highest number of downloads that run at the same time. */
export const LIMIT = 2;

/** The parts of a simulated server process, which are lost when it ends. */
export interface ServerRun {
  life: Life;
  clients: Clients;
  downloads: Downloads;
  jobs: Jobs;
  credit: FlowControl;
}

interface Inputs {
  repository: Repository;
  opened: Storage;
  /** Id of the only client of the world. */
  clientId: string;
  /** Collects log lines of level "error". The tests expect none. */
  bugs: string[];
}

/**
 * Starts the parts of a real server on an existing database and storage. After the end of the returned
 * `life`, their calls to both have no effect.
 */
export function startMemoryServer({ repository: rows, opened, clientId, bugs }: Inputs): ServerRun {
  const life = new Life();
  const { jobs: jobRows, servers } = rows;
  const own: Partial<Repository> = {
    jobs: life.of(jobRows),
    servers: servers && life.of(servers),
  };
  const repository = new Proxy(life.of(rows), {
    get: (target, name) => Reflect.get(name in own ? own : target, name),
  });
  const sets = life.of(opened.sets);
  const storage = new Proxy(life.of(opened), {
    get: (target, name) => (name === "sets" ? sets : Reflect.get(target, name)),
  });
  const credit = new FlowControl(BUDGET);
  const metrics = new Metrics();
  const write = (line: string) => {
    if (/"level":"error"/.test(line)) bugs.push(line);
  };
  const logger = new Logger({ level: "error", format: "json", write });
  const clients = new Clients({
    repository,
    enrolToken: null,
    enrolmentKeys: new EnrolmentKeys(rows.access),
    chunkSize: CHUNK,
    version: "9.9.9",
    metrics,
    audit: { record: () => undefined },
    logger,
    onRegistered: () => {
      downloads.clientRegistered(clientId);
      jobs.clientSeen(clientId);
    },
    onChange: () => undefined,
    onLabelled: () => undefined,
  });
  const downloads: Downloads = new Downloads({
    repository,
    storage,
    clients,
    credit,
    limits: { total: LIMIT, perClient: LIMIT },
    minFreeDisk: 1,
    quotas: { file: null, perClient: null, total: null },
    onChange: () => undefined,
    noticeMissing: async () => 0,
    jobs: {
      mostOf: (jobId) => jobs.mostOf(jobId),
      onChange: (jobId, status, at) => jobs.onChange(jobId, status, at),
      reopen: (jobId, retry) => jobs.reopen(jobId, retry),
    },
    metrics,
    audit: { record: () => undefined },
    logger,
  });
  const onChange = () => undefined;
  const jobs: Jobs = new Jobs({ repository, clients, downloads, onChange, logger });
  return { life, clients, downloads, jobs, credit };
}
