import type { InTurn } from "../../util/fair-turns.ts";
import type { Logger } from "../../util/logger.ts";
import type { Clients } from "../clients/clients.ts";
import type { Repository } from "../database/repository.ts";
import type { Metrics } from "../metrics/metrics.ts";
import type { Storage } from "../storage/storage.ts";
import { bodyOf } from "./bodies.ts";
import { Destinations, type Resolve } from "./destinations.ts";
import { OfflineWatch } from "./offline-watch.ts";
import { postTo } from "./post.ts";
import { Sender } from "./sender.ts";
import { StorageWatch } from "./storage-watch.ts";
import { Trimming } from "./trimming.ts";
import { Webhooks } from "./webhooks.ts";

export interface WebhooksParts {
  repository: Repository;
  clients: Clients;
  storage: Storage;
  /** Hosts, IP addresses and networks that messages may be sent to, besides public addresses. */
  allow: readonly string[];
  /** Time in ms after which a disconnected client is reported as offline. */
  offlineAfter: number;
  /** Bytes on the disk that must stay free. */
  minFreeDisk: number;
  inTurn: InTurn;
  metrics: Metrics;
  version: string;
  logger: Logger;
  /** Resolves host names to addresses. The default is the resolver of the system. */
  resolve?: Resolve;
}

/** Creates and connects the parts that send webhooks. No other part of the engine depends on them. */
export function buildWebhooks(parts: WebhooksParts) {
  const { repository, clients, storage, version, logger } = parts;
  const { webhooks: rows, outbox } = repository;
  const destinations = new Destinations(parts.allow, parts.resolve);
  const sender = new Sender({
    webhooks: rows,
    outbox,
    bodyOf: (message) => bodyOf(message, { repository, clients }),
    post: postTo(destinations),
    metrics: parts.metrics,
    version,
    logger,
  });
  const onOutboxWritten = () => sender.hint();
  const offline = new OfflineWatch({
    outbox,
    isHere: (clientId) => clients.sessionOf(clientId)?.isOpen ?? false,
    isConnected: (clientId) => clients.isConnected(clientId),
    listOffline: (after, limit) => clients.list({ after, connected: false, limit }),
    offlineAfter: parts.offlineAfter,
    onOutboxWritten,
    logger,
  });
  const { minFreeDisk, inTurn } = parts;
  const space = new StorageWatch({ outbox, storage, minFreeDisk, onOutboxWritten, logger });
  const onChange = () => {
    sender.wake();
    void space.check();
  };
  const webhooks = new Webhooks({ rows, outbox, destinations, sender, onChange, logger });
  const trimming = new Trimming({ webhooks: rows, outbox, inTurn, logger });
  return {
    webhooks,
    /** Called when a message may have been written to the outbox. Does nothing if there are no webhooks. */
    hint: onOutboxWritten,
    clientChanged: (clientId: string) => {
      offline.clientChanged(clientId);
      onOutboxWritten();
    },
    start: async () => {
      await webhooks.recover();
      await offline.start();
      space.start();
      trimming.start();
    },
    stop: async () => {
      offline.stop();
      space.stop();
      trimming.stop();
      await sender.stop();
    },
  };
}
