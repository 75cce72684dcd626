import { ofEach, sql } from "./statement.ts";

/** How long the words of a problem are shown, in ms: as long as the server that noticed it keeps them. */
const PROBLEM_MS = 150_000;

/** Clients, with what is said of them at the server beside their labels, and of the server that has them. */
export const CLIENTS = ofEach({
  sqlite: sql`
    SELECT clients.*, settings.time_zone FROM clients
    LEFT JOIN client_settings AS settings ON settings.client_id = clients.client_id`,
  postgres: () => sql`
    SELECT clients.*, settings.time_zone, holder.renewed_at AS held_at,
      CASE WHEN held.problem_at > now_ms() - ${PROBLEM_MS} THEN held.problem END AS held_problem
    FROM clients
    LEFT JOIN client_settings AS settings ON settings.client_id = clients.client_id
    LEFT JOIN client_sessions AS held ON held.client_id = clients.client_id
    LEFT JOIN servers AS holder
      ON holder.lease_id = held.lease_id AND holder.expires_at >= now_ms()`,
});

/** Whether a client is connected to some server, in a statement of {@link CLIENTS}. */
export const IS_HELD = sql`(holder.lease_id IS NOT NULL)`;
