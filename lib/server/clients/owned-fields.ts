import { MAX_LABELS } from "../../api/label-parts.ts";
import type { LabelChanges } from "../../api/labels.ts";
import { FdsError } from "../../protocol/errors.ts";
import type { Logger } from "../../util/logger.ts";
import type { EnrolmentKey } from "../access/rows.ts";
import type { Client, Repository } from "../database/repository.ts";

/** Changes of labels and time zone. Absent fields stay as they are. */
export interface OwnedChanges {
  /** The key is a label's name, the value its new value; null removes the label. */
  labels?: LabelChanges | undefined;
  /** The client's time zone; null: the one that the client reports is used. */
  timeZone?: string | null | undefined;
}

export interface OwnedFieldsOptions {
  repository: Pick<Repository, "labelsOf" | "changeLabels" | "setTimeZone">;
  logger: Logger;
}

/** The fields of a client that operators set: labels and time zone. The client itself cannot change them. */
export class OwnedFields {
  constructor(private readonly options: OwnedFieldsOptions) {}

  /**
   * Adds the labels of an enrolment key to a client that enrols with it, before the registration is recorded.
   * If the client would have too many labels, none is added.
   */
  async enrol(clientId: string, { name, labels }: EnrolmentKey): Promise<void> {
    const { repository, logger } = this.options;
    const after = { ...(await repository.labelsOf(clientId)), ...labels };
    if (Object.keys(after).length <= MAX_LABELS) return repository.changeLabels(clientId, labels);
    logger.warn("the labels of an enrolment key are left out: the client would have too many", {
      client_id: clientId,
      enrolment_key: name,
    });
  }

  /**
   * Changes the labels or the time zone of a client.
   * @throws FdsError `invalid_request` if the client would have too many labels
   */
  async change(client: Client, { labels, timeZone }: OwnedChanges): Promise<void> {
    const { repository } = this.options;
    const { clientId } = client;
    const after = Object.values({ ...client.labels, ...labels }).filter((value) => value !== null);
    if (after.length > MAX_LABELS) {
      const message = `Remove some labels first, "${clientId}" would have ${after.length} and ${MAX_LABELS} are the most`;
      throw new FdsError("invalid_request", message);
    }
    if (timeZone !== undefined) await repository.setTimeZone(clientId, timeZone);
    if (labels) await repository.changeLabels(clientId, labels);
  }
}
