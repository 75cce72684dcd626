import type { FairTurns } from "../util/fair-turns.ts";
import type { Logger } from "../util/logger.ts";
import { Topic } from "../util/topic.ts";
import { Audit } from "./audit/audit.ts";
import { Browsing } from "./clients/browsing.ts";
import { Clients } from "./clients/clients.ts";
import { EnrolmentKeys } from "./clients/enrolment.ts";
import type { ServerConfig } from "./config.ts";
import type { Repository } from "./database/repository.ts";
import type { Download } from "./download.ts";
import { Downloads } from "./downloads/downloads.ts";
import { Events } from "./events/events.ts";
import type { Job } from "./job.ts";
import { JobEvents } from "./jobs/job-events.ts";
import { Jobs } from "./jobs/jobs.ts";
import { watchEventLoop } from "./metrics/event-loop-lag.ts";
import { Metrics } from "./metrics/metrics.ts";
import { Retention, type RetentionOptions } from "./retention/retention.ts";
import { Schedules } from "./schedules/schedules.ts";
import type { Storage } from "./storage/storage.ts";
import { FlowControl } from "./transfer/flow-control.ts";
import { buildWebhooks } from "./webhooks/build.ts";

/** Name under which webhooks take turns for long work. It contains spaces, so no token has the same name. */
const WEBHOOKS = "the webhooks";

export interface EngineOptions {
  config: ServerConfig;
  storage: Storage;
  repository: Repository;
  /** Runs long work in short turns, so that none holds the event loop for long. */
  turns: FairTurns;
  version: string;
  logger: Logger;
}

/** Everything that moves files: storage, database, clients, downloads, events and more, but no HTTP. */
export type Engine = ReturnType<typeof buildEngine>;

/** Topics by which parts of the engine learn of changes on this server. */
class Changes {
  /** A client registered. */
  readonly registered = new Topic<[clientId: string]>();
  /** A client registered or disconnected, or something that REST shows of it changed. */
  readonly client = new Topic<[clientId: string]>();
  /** A client's labels or time zone changed. */
  readonly labelled = new Topic<[clientId: string]>();
  /** A request to list a client's folder waits for the server to which the client is connected. */
  readonly asked = new Topic<[clientId: string]>();
  /** A download changed. Without an argument, any number of downloads may have changed. */
  readonly download = new Topic<[download?: Download]>();
  readonly job = new Topic<[job: Job]>();

  /** Subscribes parts of the engine to the changes that concern them. */
  subscribeAll({ downloads, jobs, jobEvents, schedules, events, retention }: Subscribers): void {
    this.job.subscribe((job) => jobEvents.tell(job));
    this.registered.subscribe((clientId) => downloads.clientRegistered(clientId));
    for (const topic of [this.registered, this.labelled]) {
      topic.subscribe((clientId) => jobs.clientSeen(clientId));
      topic.subscribe((clientId) => schedules.clientSeen(clientId));
    }
    this.client.subscribe((clientId) => events.clientChanged(clientId));
    this.download.subscribe(() => events.downloadChanged());
    this.download.subscribe(() => retention.wake());
    this.download.subscribe((one) => one && schedules.downloadChanged(one));
  }
}

/** The parts of the engine that subscribe to changes. */
interface Subscribers {
  downloads: Downloads;
  jobs: Jobs;
  jobEvents: JobEvents;
  schedules: Schedules;
  events: Events;
  retention: Retention;
}

/**
 * Puts the parts of the engine together. They begin to work when clients register or downloads are recovered.
 */
export function buildEngine(options: EngineOptions) {
  const core = buildCore(options);
  return { ...core, webhookParts: buildWebhookParts(options, core) };
}

/** Puts the parts for webhooks together. They subscribe to changes. No other part depends on them. */
function buildWebhookParts(options: EngineOptions, core: ReturnType<typeof buildCore>) {
  const { config, turns, ...parts } = options;
  const webhookParts = buildWebhooks({
    ...parts,
    clients: core.clients,
    metrics: core.metrics,
    allow: config.webhookAllow ?? [],
    offlineAfter: config.offlineAfter,
    minFreeDisk: config.minFreeDisk,
    inTurn: (piece) => turns.run(WEBHOOKS, piece),
  });
  core.changes.client.subscribe(webhookParts.clientChanged);
  core.changes.download.subscribe(() => webhookParts.hint());
  core.changes.job.subscribe(() => webhookParts.hint());
  return webhookParts;
}

function buildCore(options: EngineOptions) {
  const { config, storage, repository, turns, version, logger } = options;
  const { enrolToken, chunkSize, minFreeDisk, quotas } = config;
  const credit = new FlowControl(config.receiveBudget);
  const metrics = new Metrics();
  const { auditKeep: keep, auditMaxSize: maxSize } = config;
  const audit = new Audit({ rows: repository.audit, keep, maxSize, logger });
  const enrolmentKeys = new EnrolmentKeys(repository.access);
  const changes = new Changes();
  const retention = retentionOf(options, { metrics, audit, onChange: changes.download.publish });
  const clients = new Clients({
    repository,
    enrolToken,
    enrolmentKeys,
    chunkSize,
    version,
    metrics,
    audit,
    logger,
    onRegistered: ({ client }) => client && changes.registered.publish(client.clientId),
    onChange: changes.client.publish,
    onLabelled: changes.labelled.publish,
  });
  const downloads = new Downloads({
    repository,
    storage,
    clients,
    credit,
    limits: { total: config.maxActiveDownloads, perClient: config.maxActiveDownloadsPerClient },
    minFreeDisk,
    quotas,
    metrics,
    audit,
    logger,
    onChange: changes.download.publish,
    noticeMissing: (clientId) => retention.noticeMissing(clientId),
    jobs: {
      mostOf: (jobId) => jobs.mostOf(jobId),
      onChange: (jobId, status, at) => jobs.onChange(jobId, status, at),
      reopen: (jobId, retry) => jobs.reopen(jobId, retry),
    },
  });
  const progressOf = downloads.progressOf.bind(downloads);
  const events = new Events({ repository, clients, progressOf, logger });
  const jobEvents = new JobEvents({ rows: repository.jobs, events, logger });
  const onChange = changes.job.publish;
  const jobs: Jobs = new Jobs({ repository, clients, downloads, onChange, logger });
  const schedules = new Schedules({ repository, jobs, keep: config.deliveriesKeep, logger });
  changes.subscribeAll({ downloads, jobs, jobEvents, schedules, events, retention });
  const onAsked = changes.asked.publish;
  const browsing = new Browsing({ repository, clients, credit, metrics, onAsked, logger });
  const parts = { browsing, credit, metrics, audit, enrolmentKeys, clients, downloads, events };
  const all = { ...parts, jobs, jobEvents, schedules, retention, changes };
  return { storage, repository, turns, ...all, stopWatching: watchEventLoop(metrics.eventLoopLag) };
}

function retentionOf(
  { config, storage, repository, logger }: EngineOptions,
  parts: Pick<RetentionOptions, "audit" | "metrics" | "onChange">,
): Retention {
  const { keepDays } = config;
  return new Retention({ repository, storage, keepDays, logger, ...parts });
}
