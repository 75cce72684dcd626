import type { Requirement, Selector } from "../../api/selector.ts";
import { list, sql, type Statement } from "./statement.ts";

/**
 * Returns a condition that a client's labels match a selector.
 * @param clientId column of the client's id, with the name of its table
 */
export function hasLabels(selector: Selector, clientId: Statement): Statement {
  const conditions = selector.map((requirement) => {
    const label = sql`
      SELECT 1 FROM client_labels AS label
      WHERE label.client_id = ${clientId} AND ${labelMeets(requirement, LABEL)}`;
    const isNegated = requirement.is === "not_in" || requirement.is === "absent";
    return isNegated ? sql`NOT EXISTS (${label})` : sql`EXISTS (${label})`;
  });
  return conditions.reduce((all, one) => sql`${all} AND ${one}`);
}

const LABEL = sql`label`;

/**
 * Returns a condition that a label meets a requirement: the key is the same, and the value is allowed. For a
 * negated requirement, the caller negates the condition.
 * @param label name of the table with the label
 */
function labelMeets(requirement: Requirement, label: Statement): Statement {
  const isKey = sql`${label}.key = ${requirement.key}`;
  return "values" in requirement
    ? sql`${isKey} AND ${label}.value IN (${list(requirement.values)})`
    : sql`${isKey} AND ${label}.value IS NOT NULL`;
}

/**
 * Returns a query for the ids of clients whose labels match a selector. If an index can find the clients that
 * meet one of the requirements, only these clients are checked for the other requirements.
 */
export function withLabels(selector: Selector): Statement {
  const indexable =
    selector.find(({ is }) => is === "in") ?? selector.find(({ is }) => is === "present");
  if (!indexable) {
    return sql`SELECT client_id FROM clients WHERE ${hasLabels(selector, sql`clients.client_id`)}`;
  }
  return sql`
    SELECT candidate.client_id FROM client_labels AS candidate
    WHERE ${labelMeets(indexable, sql`candidate`)} AND ${hasLabels(selector, sql`candidate.client_id`)}`;
}
