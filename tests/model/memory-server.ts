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

/** Less than the file: credit runs out, and comes again as bytes are flushed. */
export const BUDGET = 3 * CHUNK;
/** Most downloads that run at once. */
export const LIMIT = 2;

/** A server's process: all that is gone with it. */
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
  /** The only client. */
  clientId: string;
  /** Takes what the server logs as an error. */
  bugs: string[];
}

/** Starts the real server's parts, on rows and files that are there. */
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
      onChange: (jobId, status) => jobs.onChange(jobId, status),
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
