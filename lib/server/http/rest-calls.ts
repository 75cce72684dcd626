import type { Logger } from "../../util/logger.ts";
import type { Engine } from "../engine.ts";
import { EventFeeds } from "../events/event-feeds.ts";
import { requireDatabaseAndStorage } from "./availability.ts";
import type { MakeCall } from "./call.ts";
import { auditCalls } from "./calls/audit.ts";
import { clientCalls } from "./calls/clients.ts";
import { contentCalls } from "./calls/content.ts";
import { deliveryCalls } from "./calls/deliveries.ts";
import { downloadChangeCalls } from "./calls/download-changes.ts";
import { downloadCalls } from "./calls/downloads.ts";
import { enrolmentKeyCalls } from "./calls/enrolment-keys.ts";
import { eventCalls } from "./calls/events.ts";
import { jobChangeCalls } from "./calls/job-changes.ts";
import { jobCalls } from "./calls/jobs.ts";
import { scheduleTimeCalls } from "./calls/schedule-times.ts";
import { scheduleCalls } from "./calls/schedules.ts";
import { serverCalls } from "./calls/server.ts";
import { sessionCalls } from "./calls/sessions.ts";
import { tokenCalls } from "./calls/tokens.ts";
import { webhookCalls } from "./calls/webhooks.ts";
import { metricsPage } from "./metrics-page.ts";
import type { Authenticators } from "./authenticators.ts";

export interface RestCallsOptions {
  call: MakeCall;
  engine: Engine;
  access: Authenticators;
  /** Id of this run of the server. */
  serverId: string;
  version: string;
  logger: Logger;
}

/** The handlers of all REST calls, grouped by topic. */
export type RestCalls = ReturnType<typeof restCalls>;

/** Builds the handlers of all REST calls. */
export function restCalls(options: RestCallsOptions) {
  const { call, engine, access, serverId, version, logger } = options;
  const { tokens, signIn, openCalls } = access;
  const { repository, storage, turns, credit, metrics, audit } = engine;
  const { enrolmentKeys, clients, browsing, downloads, events, jobs, jobEvents } = engine;
  const { schedules, retention, webhookParts } = engine;
  const feeds = new EventFeeds({
    repository,
    clients,
    events,
    openCalls,
    openJobs: (caller, inTurn) => jobEvents.latest(caller, inTurn),
    turns,
    logger,
  });
  const onEnded = async (tokenHash: string) => {
    await jobs.tokenEnded(tokenHash);
    await schedules.tokenEnded(tokenHash);
  };
  const seeingSchedules = { schedules, access: repository.access };
  const measured = { metrics, repository, storage, clients, downloads, events, credit, version };
  return {
    server: serverCalls(call, {
      clients,
      downloads,
      metricsPage: (inTurn) => metricsPage(measured, inTurn),
      requireDatabaseAndStorage: () => requireDatabaseAndStorage(repository, storage),
      serverId,
      version,
    }),
    sessions: sessionCalls(call, { signIn }),
    clients: clientCalls(call, { clients, downloads, browsing }),
    downloads: downloadCalls(call, { clients, downloads }),
    changes: downloadChangeCalls(call, { clients, downloads, retention }),
    content: contentCalls(call, { clients, downloads, storage, sets: repository.sets, openCalls }),
    events: eventCalls(call, { clients, downloads, feeds }),
    jobs: { ...jobCalls(call, { jobs, clients, downloads }), ...jobChangeCalls(call, jobs) },
    keys: enrolmentKeyCalls(call, { enrolmentKeys }),
    schedules: scheduleCalls(call, seeingSchedules),
    scheduleTimes: scheduleTimeCalls(call, seeingSchedules),
    deliveries: deliveryCalls(call, seeingSchedules),
    tokens: tokenCalls(call, { tokens, onEnded }),
    webhooks: webhookCalls(call, { webhooks: webhookParts.webhooks }),
    audit: auditCalls(call, { audit }),
  };
}
